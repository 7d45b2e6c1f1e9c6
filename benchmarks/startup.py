"""How long `s2s train` takes to its first update, and what memory it holds then, with few and with very many pairs.

    python benchmarks/startup.py                              100,000 and 10 million pairs, each started three times
    python benchmarks/startup.py --pairs 100000 1000000       other sizes; every size is compared with the first
    python benchmarks/startup.py --temperature 5              the pairs in groups, sampled by temperature

Makes tokenised corpora of random ids in a temporary folder (about 90 bytes a pair), and starts `s2s train` on each as a person
would, MLflow included, whose database exists as the stages before train leave it. Time runs from the start of the process to
the moment at which the point of the first update is logged. Memory is read from Linux's /proc after some updates: RSS; what of it
is anonymous (the process's own) and what is mapped files (pages of the corpus, which the system takes back when it needs them);
PSS, in which a page that several processes map counts in parts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.tokenization.growing_array import GrowingArray
from seq2seq_core.tokenization.manifest import Manifest, SourceInfo, SplitInfo, TargetInfo, folder_digests
from seq2seq_core.tokenization.ragged import groups_path, offsets_path, values_path
from seq2seq_core.tokenization.special_tokens import EOS_ID, NUM_SPECIAL
from seq2seq_core.tokenization.subword import train_subword
from seq2seq_core.tracking.mlflow.store import connect

ROOT = Path(__file__).resolve().parents[1]
MOST_SECONDS, MOST_GROWTH = 12.0, 0.10
"""The bars: seconds to the first update, and relative growth of memory from the first size."""
ROWS_AT_ONCE = 250_000
UPDATES_BEFORE_READING = 20
PATIENCE_SECONDS = 300.0
PROGRAM = "import sys; from seq2seq_core.cli.main import main; sys.exit(main())"
GROUPS = {"de": 0.7, "sw": 0.2, "is": 0.1}
TEXTS = ["the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs"]


@dataclass(frozen=True)
class Start:
    """One start of `s2s train`: seconds to the first update, and memory in MiB by kind."""

    seconds: float
    memory: dict[str, float]


def make_corpus(paths: Paths, num_pairs: int, temperature: float) -> None:
    """Writes a tokenised corpus of random ids, the settings that train on it, and MLflow's database."""
    folder = paths.tokenized
    folder.mkdir(parents=True)
    subword = train_subword(TEXTS * 20, SubwordSettings(model="char", vocabulary_size=64))
    for side in ("source", "target"):
        subword.save(folder / f"{side}.model")
    splits = {"train": num_pairs, "dev": 200, "test": 10}
    sizes = {split: write_split(folder, split, pairs, subword.vocabulary_size) for split, pairs in splits.items()}
    (folder / "dev.jsonl").write_text('{"source": "a", "target": "b"}\n' * splits["dev"], encoding="utf-8")
    groups: dict[str, int] = {}
    if temperature > 1:
        drawn = np.random.default_rng(1).choice(len(GROUPS), num_pairs, p=list(GROUPS.values())).astype(np.int32)
        np.save(groups_path(folder, "train"), drawn)
        groups = dict(zip(GROUPS, np.bincount(drawn, minlength=len(GROUPS)).tolist(), strict=True))
    source, target = (kind(vocabulary_size=subword.vocabulary_size) for kind in (SourceInfo, TargetInfo))
    digests = folder_digests(folder)
    Manifest(source=source, target=target, joint=False, groups=groups, splits=sizes, digests=digests).save(folder)
    settings = {
        "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
        "model": {"architecture": "gru", "width": 64},
        "train": {"batch_tokens": 2048, "dev_metric": "loss", "dev_sentences": 0, "sampling_temperature": temperature},
        "tokenize": {"group_columns": ["language"]} if temperature > 1 else {},
        "register": {"model_name": "startup"},
        "runtime": {"device": "cpu", "num_threads": 1, "progress": "plain", "log_every_steps": 1},
    }
    paths.params.write_text(yaml.safe_dump(settings), encoding="utf-8")
    (paths.root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    connect(paths)


def write_split(folder: Path, split: str, num_pairs: int, vocabulary_size: int) -> SplitInfo:
    """Writes a split of random pairs of 3 to 18 ids per side; returns its size."""
    chance, tokens = np.random.default_rng(len(split)), {}
    for side in ("source", "target"):
        with (
            GrowingArray(values_path(folder, split, side), np.int32) as values,
            GrowingArray(offsets_path(folder, split, side), np.int64) as offsets,
        ):
            offsets.append(np.zeros(1, dtype=np.int64))
            for first in range(0, num_pairs, ROWS_AT_ONCE):
                ends = np.cumsum(chance.integers(3, 19, min(ROWS_AT_ONCE, num_pairs - first)))
                ids = chance.integers(NUM_SPECIAL, vocabulary_size, int(ends[-1]), dtype=np.int32)
                ids[ends - 1] = EOS_ID
                offsets.append(values.rows + ends)
                values.append(ids)
            tokens[side] = values.rows
    return SplitInfo(pairs=num_pairs, source_tokens=tokens["source"], target_tokens=tokens["target"])


def start_training(paths: Paths) -> Start:
    """Measures one start; stops the training after a few updates and removes its state."""
    journal = paths.training_state / "mlflow_points.jsonl"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    with (paths.root / "log.txt").open("wb") as log:
        began = time.time()
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, "train"],
            cwd=paths.root, env={**variables, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            while UPDATES_BEFORE_READING not in (points := dict(read_points(journal, began))):
                if process.poll() is not None or time.time() > began + PATIENCE_SECONDS:
                    sys.exit(f"s2s train did not come to its updates:\n{(paths.root / 'log.txt').read_text()}")
                time.sleep(0.02)
            return Start(points[1] - began, read_memory(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            shutil.rmtree(paths.work)  # so that the next start does not resume


def read_points(journal: Path, since: float) -> Iterator[tuple[int, float]]:
    """The updates logged since a time, each with its time, in seconds since 1970."""
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else ():
        if line.endswith("}") and (point := json.loads(line))["timestamp"] / 1000 >= since:
            yield point["step"], point["timestamp"] / 1000


def read_memory(pid: int) -> dict[str, float]:
    """Memory of a process in MiB, by kind."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    words = {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in lines) if rest.strip()}
    found = {kind: int(words[name]) / 1024 for kind, name in {"RSS": "VmRSS", "anonymous": "RssAnon", "files": "RssFile"}.items()}
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    pss = next(line.split()[1] for line in rollup if line.startswith("Pss:"))
    return found | {"PSS": int(pss) / 1024, "peak RSS": int(words["VmHWM"]) / 1024}


def main() -> None:
    """Measures each corpus size and compares it with the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="+", type=int, default=[100_000, 10_000_000])
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--temperature", type=float, default=1.0)
    arguments = parser.parse_args()
    kinds = ("RSS", "anonymous", "files", "PSS", "peak RSS")
    medians: list[dict[str, float]] = []
    print("pairs       seconds to the first update    " + "  ".join(f"{kind:>9}" for kind in kinds) + "  (MiB)")
    for num_pairs in arguments.pairs:
        with tempfile.TemporaryDirectory(prefix="s2s-startup-") as folder:
            paths = Paths(Path(folder))
            make_corpus(paths, num_pairs, arguments.temperature)
            starts = [start_training(paths) for _ in range(arguments.starts)]
        seconds = [start.seconds for start in starts]
        medians.append({kind: statistics.median(start.memory[kind] for start in starts) for kind in kinds})
        figures = "  ".join(f"{medians[-1][kind]:9.1f}" for kind in kinds)
        print(
            f"{num_pairs:<11,} {statistics.median(seconds):6.2f} ({min(seconds):.2f} to {max(seconds):.2f})    {figures}",
            flush=True,
        )
    growth = {kind: medians[-1][kind] / medians[0][kind] - 1 for kind in kinds}
    print("growth: " + ", ".join(f"{kind} {value:+.1%}" for kind, value in growth.items()))
    is_met = statistics.median(seconds) <= MOST_SECONDS and max(growth["anonymous"], growth["RSS"]) <= MOST_GROWTH
    print(f"bars: {MOST_SECONDS:g} s, {MOST_GROWTH:+.0%} of RSS and of its anonymous part: {'met' if is_met else 'NOT met'}")
    sys.exit(not is_met)


if __name__ == "__main__":
    main()
