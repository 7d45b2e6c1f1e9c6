"""How many wrong pairs ``prepare.score_filter`` finds, and how many right ones it drops for it.

    python benchmarks/score_filter.py CORPUS              CORPUS has train.tsv: source, TAB, target; minutes of one core
    python benchmarks/score_filter.py CORPUS --steps 300

Two small models are trained on the first half of the corpus, one a direction. The second half is scored, a fifth of it made
wrong: in a quarter of these each the target of another pair, the source as target, half of the target, or half of the source. The
best four fifths are kept. Figures go to --output as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.console import configure_logging
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train

KINDS = ("another target", "source as target", "half of the target", "half of the source")
WRONG = 0.2


def settings_of(steps: int, score_filter: dict[str, Any] | None = None) -> Settings:
    """The settings of a small model, or of the filtered corpus.

    Args:
        steps: updates of a training.
        score_filter: the filter; None: a model is trained.
    """
    sections: dict[str, Any] = {
        "corpus": {"path": "raw", "header": False, "columns": ["source", "target", "kind"], "files": {"train": ["train.tsv"]}},
        "prepare": {
            "deduplicate": "none", "leakage": "keep", "max_dropped_fraction": 1.0, "dev_fraction": 0.02,
            "test_fraction": 0.01},
        "tokenize": {"source": {"model": "bpe", "vocabulary_size": 1500}, "target": {"model": "bpe", "vocabulary_size": 1500}},
        "model": {"architecture": "gru", "width": 128},
        "train": {
            "max_steps": steps, "warmup_steps": steps // 8, "batch_tokens": 2000, "learning_rate": 0.004, "schedule": "cosine",
            "validate_every_steps": max(1, steps // 4), "average_decay": 0.99, "dev_sentences": 0,
        },
        "register": {"model_name": "filtered"},
        "runtime": {"device": "cpu", "progress": "plain", "num_threads": 1},
    }  # fmt: skip
    if score_filter is not None:
        sections["prepare"] |= {"score_filter": score_filter}
    return parse_settings(sections, "benchmark")


def train_scorer(folder: Path, rows: list[tuple[str, str]], steps: int) -> Path:
    """Trains a model; returns the folder of its bundle.

    Args:
        folder: its workspace.
        rows: its pairs.
        steps: updates.
    """
    paths, settings, recorder = Paths(folder), settings_of(steps), NullRecorder()
    _write(paths, [(*row, "right") for row in rows])
    run_prepare(settings, paths, recorder)
    run_tokenize(settings, paths, recorder)
    run_train(settings, paths, recorder)
    export_bundle(paths.bundle, paths.served, DecodingOptions())
    return paths.served


def make_wrong(rows: list[tuple[str, str]], seed: int) -> list[tuple[str, str, str]]:
    """The pairs with their kind, a share of them made wrong.

    Args:
        rows: right pairs.
        seed: of the choice.
    """
    chance, found = random.Random(seed), list[tuple[str, str, str]]()
    for source, target in rows:
        kind = chance.choice(KINDS) if chance.random() < WRONG else "right"
        halves = [" ".join(text.split()[: max(1, len(text.split()) // 2)]) for text in (source, target)]
        made = {
            "right": (source, target),
            "another target": (source, chance.choice(rows)[1]),
            "source as target": (source, source),
            "half of the target": (source, halves[1]),
            "half of the source": (halves[0], target),
        }[kind]
        found.append((*made, "right" if made == (source, target) else kind))
    return found


def measure(rows: list[tuple[str, str]], steps: int, work: Path) -> dict[str, Any]:
    """The share of the pairs of each kind that is dropped.

    Args:
        rows: of the corpus.
        steps: updates of each of the two trainings.
        work: a folder for everything.
    """
    half = len(rows) // 2
    forward = train_scorer(work / "forward", rows[:half], steps)
    backward = train_scorer(work / "backward", [(target, source) for source, target in rows[:half]], steps)
    paths, asked = Paths(work / "filtered"), make_wrong(rows[half:], 1)
    _write(paths, asked)
    models = {"forward": str(forward), "backward": str(backward), "keep_fraction": 1 - WRONG}
    run_prepare(settings_of(steps, models), paths, NullRecorder())
    kept = Counter(pair["kind"] for pair in iterate_pairs(paths.prepared_split("train")))
    carved = (pair["kind"] for split in ("dev", "test") for pair in iterate_pairs(paths.prepared_split(split)))
    scored = Counter(row[2] for row in asked) - Counter(carved)
    return {
        "pairs": scored.total(),
        "dropped": {kind: round(1 - kept[kind] / count, 4) for kind, count in sorted(scored.items())},
    }


def _write(paths: Paths, rows: list[tuple[str, str, str]]) -> None:
    (paths.root / "raw").mkdir(parents=True)
    text = "".join(f"{source}\t{target}\t{kind}\n" for source, target, kind in rows)
    (paths.root / "raw" / "train.tsv").write_text(text, encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    configure_logging()
    lines = (arguments.corpus / "train.tsv").read_text(encoding="utf-8").splitlines()
    rows = sorted({(source, target) for source, target in (line.split("\t")[:2] for line in lines)})
    random.Random(0).shuffle(rows)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(rows, arguments.steps, Path(folder))
    for kind, share in figures["dropped"].items():
        print(f"{kind}: {100 * share:.1f} % dropped")
    if arguments.output:
        arguments.output.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
