"""Wall and CPU seconds of `validate` and `prepare` against OpusFilter (Aulamo 2020) with equivalent filters, on both cores.

    python benchmarks/opus_filter.py --pairs 1000000

The pairs are generated; of each hundred, ten repeat an earlier pair, and six are copies, have control characters or sides of very
different lengths. Both tools take turns. Each run is of whole processes, imports included. OpusFilter runs `remove_duplicates` and
then `filter` with two jobs, twice: with the rules of `prepare` alone, and with what `validate` looks for too, as far as it has a
filter for it. Tags of HTML are found there by a regular expression, because its own filter parses each text as a page, which takes
far longer. Languages are not identified. Both must keep the same pairs, in the same order, or it ends with an error.
OpusFilter is installed from PyPI into an environment of its own, unless `--python` names one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.incremental import iterate_lines, load_and_run
from benchmarks.peers.environments import environment
from seq2seq_core.artifacts import Paths

ROOT = Path(__file__).resolve().parents[1]
OPUS_FILTER = ["opusfilter==3.3.1"]
STAGES = ("validate", "prepare")
MOST, RATIO = 5000, 3.0
CONTROLS = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]"
LOOKED_FOR = {
    "mojibake": r"[\u00c2\u00c3\u00e2][\u0080-\u00bf\u2018-\u203a\u20ac]",
    "invisible characters": r"[\u00ad\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]",
    "escaped text": r"&[#a-zA-Z][0-9a-zA-Z]{1,7};|@@|@-@|\u2581",
    "tags of HTML": r"<[!/a-zA-Z][^<>]*>",
    "web addresses": r"(?i)https?://|www\.",
    "quoted cells": r'^".*"$',
}
"""What `validate` looks for besides, as regular expressions: none of it is in the generated pairs."""


def iterate_dirty_lines(num_pairs: int) -> Iterator[str]:
    """The lines of a corpus with repeated pairs, copies, control characters and odd ratios."""
    before = ""
    for number, line in enumerate(iterate_lines(num_pairs)):
        source, target = line.rstrip("\n").split("\t")
        match number % 100:
            case 10 | 20 | 30 | 40 | 50 | 60 | 70 | 80 | 90 | 99:
                line = before
            case 1 | 2:
                line = f"{source}\t{source}\n"
            case 3 | 4:
                line = f"{source}\x07\t{target}\n"
            case 5 | 6:
                line = f"{source}\t{target[:4]}{number}\n" if len(source) > 60 else f"{source}\t{' '.join([target] * 5)}\n"
        yield line
        before = line


def write_corpus(root: Path, num_pairs: int) -> None:
    """Writes the corpus as one table, and as the two texts that OpusFilter reads.

    Args:
        root: the workspace.
        num_pairs: number of pairs.
    """
    paths = [root / "raw" / name for name in ("train.tsv", "train.source", "train.target")]
    paths[0].parent.mkdir()
    with paths[0].open("w") as table, paths[1].open("w") as sources, paths[2].open("w") as targets:
        for line in iterate_dirty_lines(num_pairs):
            source, target = line.rstrip("\n").split("\t")
            table.write(line)
            sources.write(f"{source}\n")
            targets.write(f"{target}\n")


def run_stage(stage: str, root: Path) -> None:
    """Loads a stage and runs it.

    Args:
        stage: its name.
        root: the workspace.
    """
    values = {
        "corpus": {"path": "raw", "files": {"train": ["train.tsv"]}, "header": False},
        "validate": {"other_language": {"limit": 1.0, "severity": "off"}},
        "prepare": {
            "drop_control_characters": True, "drop_copies": True, "max_characters": MOST, "max_length_ratio": RATIO,
            "whitespace": "keep",
        },
        "register": {"model_name": "m"},
        "runtime": {"incremental": False, "memory_limit": "2 GB"},
    }  # fmt: skip
    load_and_run(stage, values, root)


def configure(root: Path, looks_for_all: bool) -> Path:
    """Writes a configuration of OpusFilter.

    Args:
        root: the workspace; OpusFilter writes into ``opus``.
        looks_for_all: whether it has the filters for what ``validate`` looks for.
    """
    ours: list[dict[str, Any]] = [
        {"LengthFilter": {"unit": "char", "min_length": 1, "max_length": MOST}},
        {"LengthRatioFilter": {"unit": "char", "threshold": RATIO + 1e-9}},
        {"RegExpFilter": {"regexps": CONTROLS, "accept_match": False}},
        {"SimilarityFilter": {"threshold": 1.0}},
    ]
    besides = [
        *({"RegExpFilter": {"regexps": text, "accept_match": False, "name": name}} for name, text in LOOKED_FOR.items()),
        {"NonZeroNumeralsFilter": {"threshold": 0.0}},
        {"RepetitionFilter": {"threshold": 8}},
        {"CharacterScoreFilter": {"scripts": ["Latin", "Latin"], "thresholds": [0.5, 0.5]}},
    ]
    raw, kept = ([f"{folder}.{side}" for side in ("source", "target")] for folder in ("../raw/train", "unique"))
    steps = [
        {"type": "remove_duplicates", "parameters": {"inputs": raw, "outputs": kept}},
        {
            "type": "filter",
            "parameters": {
                "inputs": kept, "outputs": ["kept.source", "kept.target"], "n_jobs": 2,
                "filters": ours + (besides if looks_for_all else []),
            },
        },
    ]  # fmt: skip
    shutil.rmtree(root / "opus", ignore_errors=True)
    (root / "opus").mkdir()
    path = root / "opus.yaml"
    path.write_text(json.dumps({"common": {"output_directory": str(root / "opus")}, "steps": steps}))
    return path


def measure(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a process and its children."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def digest_ours(root: Path) -> tuple[int, str]:
    """Number and digest of the pairs that `prepare` kept, in the order of the corpus."""
    kept, digest, count = [Paths(root).prepared_split(split).open() for split in ("train", "dev", "test")], hashlib.sha256(), 0
    heads = [next(file, "") for file in kept]
    with (root / "raw" / "train.tsv").open() as table:
        for row in table:
            source, target = row.rstrip("\n").split("\t")
            for place, head in enumerate(heads):
                pair = json.loads(head) if head else {}
                if (pair.get("source"), pair.get("target")) == (source, target):
                    digest.update(row.encode())
                    heads[place], count = next(kept[place], ""), count + 1
                    break
    for file in kept:
        file.close()
    return (count, digest.hexdigest()) if not any(heads) else (-1, "pairs that are not in the corpus")


def digest_theirs(root: Path) -> tuple[int, str]:
    """Number and digest of the pairs that OpusFilter kept."""
    digest, count = hashlib.sha256(), 0
    with (root / "opus" / "kept.source").open() as sources, (root / "opus" / "kept.target").open() as targets:
        for source, target in zip(sources, targets, strict=True):
            digest.update((source.rstrip("\n") + "\t" + target).encode())
            count += 1
    return count, digest.hexdigest()


def compare(num_pairs: int, rounds: int, python: Path, root: Path) -> None:
    """Runs both in turns, and prints the seconds of each turn and the ratio of the medians.

    Args:
        num_pairs: number of pairs.
        rounds: number of turns.
        python: the interpreter that has OpusFilter.
        root: an empty folder.
    """
    write_corpus(root, num_pairs)
    found: dict[str, list[tuple[float, float]]] = {}
    print(f"{num_pairs:,} pairs, {rounds} turns on {os.cpu_count()} cores", flush=True)
    for _ in range(rounds):
        for stage in STAGES:
            shutil.rmtree(root / ".s2s", ignore_errors=True)
            found.setdefault(stage, []).append(measure([sys.executable, __file__, "--stage", stage, "--root", str(root)]))
        kept = digest_ours(root)
        for name, looks_for_all in (("OpusFilter, rules of prepare", False), ("OpusFilter, all", True)):
            tool = [str(python), str(python.parent / "opusfilter"), str(configure(root, looks_for_all))]
            found.setdefault(name, []).append(measure(tool))
            if digest_theirs(root) != kept:
                raise SystemExit(f"{name} kept {digest_theirs(root)}, ours {kept}")
    print(f"both keep the same {kept[0]:,} pairs, sha256 {kept[1][:12]}")
    for name, turns in found.items():
        wall, cpu = (sorted(seconds)[len(turns) // 2] for seconds in zip(*turns, strict=True))
        print(f"{name:30} wall {wall:7.1f} s   CPU {cpu:7.1f} s   {', '.join(f'{turn[0]:.1f}/{turn[1]:.1f}' for turn in turns)}")
    stages = zip(found.pop("validate"), found.pop("prepare"), strict=True)
    ours = [[sum(seconds) for seconds in zip(*turns, strict=True)] for turns in stages]
    for name, turns in found.items():
        pairs = zip(turns, ours, strict=True)
        ratios = [[theirs / own for theirs, own in zip(turn, mine, strict=True)] for turn, mine in pairs]
        wall, cpu = (sorted(ratio)[len(ratios) // 2] for ratio in zip(*ratios, strict=True))
        print(f"{name} takes {wall:.2f} times as long as validate and prepare together, {cpu:.2f} times the CPU time")


def main() -> None:
    """Compares both, or runs one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", type=Path, help="an interpreter whose environment has OpusFilter")
    parser.add_argument("--folder", type=Path, default=ROOT / ".s2s" / "benchmark", help="of the environment")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        run_stage(given.stage, given.root)
        return
    python = given.python.absolute() if given.python else environment("opusfilter", OPUS_FILTER, given.folder)
    with tempfile.TemporaryDirectory() as room:
        compare(given.pairs, given.rounds, python, Path(room))


if __name__ == "__main__":
    main()
