"""Cost of `validate`, `prepare` and `tokenize` after 1 % more rows with a kept vocabulary, and of a run from nothing.

Prints a table.

    python benchmarks/incremental.py --pairs 1000000

Each stage is a process of its own, which loads and runs it as `s2s` does; its CPU seconds are those of the whole process, imports
included, MLflow left out. Outputs are deleted before each run, as DVC does. It fails unless both runs write the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq_core.allocation import uncollected_imports, uncollected_loading
from seq2seq_core.artifacts import Paths

STAGES = ("validate", "prepare", "tokenize")
LETTERS = "abcdefghijklmnopqrstuvwxyzäöü"
VOCABULARY_SIZE, VOCABULARY_TEXTS = 8000, 30_000


def iterate_lines(num_pairs: int) -> Iterator[str]:
    """The lines of a corpus of different pairs; a longer corpus begins with the same ones.

    Args:
        num_pairs: number of pairs.
    """
    generator = random.Random(1)
    words = ["".join(generator.choices(LETTERS, k=generator.randrange(2, 10))) for _ in range(20_000)]
    for number in range(num_pairs):
        source, target = (" ".join(generator.choices(words, k=generator.randrange(5, 14))) for _ in range(2))
        yield f"{source} {number}\t{target} {number}\n"


def write_corpus(root: Path, num_pairs: int) -> None:
    """Writes ``raw/train.tsv``.

    Args:
        root: the workspace.
        num_pairs: number of pairs.
    """
    (root / "raw").mkdir(parents=True, exist_ok=True)
    with (root / "raw" / "train.tsv").open("w", encoding="utf-8") as file:
        file.write("source\ttarget\n")
        file.writelines(iterate_lines(num_pairs))


def make_vocabulary(root: Path) -> None:
    """Makes a bundle of random weights with a vocabulary of the corpus's first texts.

    Args:
        root: the workspace; receives ``base``.
    """
    from seq2seq_core.bundle.bundle import save_bundle
    from seq2seq_core.bundle.config_file import BundleConfig
    from seq2seq_core.config.model import ModelSection
    from seq2seq_core.config.tokenize import SubwordSettings
    from seq2seq_core.modeling.model_building import build_model
    from seq2seq_core.tokenization.subword import train_subword

    pairs = [line.rstrip("\n").split("\t") for line in iterate_lines(VOCABULARY_TEXTS)]
    source, target = (train_subword(texts, SubwordSettings(vocabulary_size=VOCABULARY_SIZE)) for texts in zip(*pairs, strict=True))
    model, sizes = ModelSection(width=8), (source.vocabulary_size, target.vocabulary_size)
    config = BundleConfig(model=model, source_vocabulary_size=sizes[0], target_vocabulary_size=sizes[1], joint=False)
    save_bundle(root / "base", build_model(model, *sizes, False), config, source, target, {"manifest.json": "0" * 64})


def run_stage(stage: str, root: Path) -> None:
    """Loads a stage and runs it, by the defaults and with the vocabulary.

    Args:
        stage: its name.
        root: the workspace.
    """
    values = {
        "corpus": {"path": "raw", "files": {"train": ["train.tsv"]}},
        "tokenize": {"vocabulary": "base"},
        "register": {"model_name": "m"},
    }
    load_and_run(stage, values, root)


def load_and_run(stage: str, values: Mapping[str, Any], root: Path) -> None:
    """Loads a stage and runs it as ``s2s`` does, MLflow left out.

    Args:
        stage: its name.
        values: the settings.
        root: the workspace.
    """
    with uncollected_loading():
        from seq2seq_core.config.settings import parse_settings
        from seq2seq_core.recorder import NullRecorder
        from seq2seq_core.stage_table import find_stage

        settings, run = parse_settings(values, "benchmark"), find_stage(stage).load_function()
    with uncollected_imports():
        run(settings, Paths(root), NullRecorder())


def measure(root: Path) -> dict[str, float]:
    """The CPU seconds of each stage, after the outputs of earlier runs are deleted.

    Args:
        root: the workspace.
    """
    for name in ("data", "reports"):
        shutil.rmtree(root / name, ignore_errors=True)
    costs = {}
    for stage in STAGES:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, __file__, "--stage", stage, "--root", str(root)], check=True, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs[stage] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return costs


def digest_outputs(root: Path) -> dict[str, str]:
    """SHA-256 of each output.

    Args:
        root: the workspace.
    """
    paths = sorted(path for name in ("data", "reports") for path in (root / name).rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def compare(num_pairs: int, room: Path) -> None:
    """Prints the cost of both runs.

    Args:
        num_pairs: number of pairs before rows are added.
        room: an empty folder.
    """
    grown, fresh = room / "grown", room / "fresh"
    write_corpus(grown, num_pairs)
    make_vocabulary(grown)
    measure(grown)
    size = sum(path.stat().st_size for path in Paths(grown).work.rglob("*") if path.is_file())
    for root in (grown, fresh):
        write_corpus(root, num_pairs + num_pairs // 100)
    shutil.copytree(grown / "base", fresh / "base")
    costs = {"from nothing": measure(fresh), "1 % more rows": measure(grown)}
    if digest_outputs(grown) != digest_outputs(fresh):
        raise SystemExit("the two runs wrote other bytes")
    print(f"{num_pairs:,} pairs; CPU seconds; the same bytes; {size / 1e6:.0f} MB kept in .s2s")
    print(f"{'':10}" + "".join(f"{name:>16}" for name in costs) + f"{'share':>10}")
    for stage in (*STAGES, "all"):
        first, later = (cost.get(stage, sum(cost.values())) for cost in costs.values())
        print(f"{stage:10}{first:16.1f}{later:16.1f}{100 * later / first:8.0f} %", flush=True)


def main() -> None:
    """Compares both runs, or runs one stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        run_stage(given.stage, given.root)
        return
    with tempfile.TemporaryDirectory() as room:
        compare(given.pairs, Path(room))


if __name__ == "__main__":
    main()
