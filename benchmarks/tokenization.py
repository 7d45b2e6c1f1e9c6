"""Encoding of a prepared split by ``s2s tokenize`` against bare SentencePiece on the same texts.

    python benchmarks/tokenization.py --pairs 300000

Ours reads the JSON lines, escapes, appends the ends, limits the lengths and writes the arrays; the bare encoder has its texts in
memory and throws its ids away. Both have two cores; the rounds alternate, and the best of each counts.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import mlflow
import mlflow.pyfunc
import sentencepiece

from seq2seq_core.allocation import uncollected_imports
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.corpus.pairs import SOURCE, TARGET, write_pairs
from seq2seq_core.encoding.pair_reading import PairReader
from seq2seq_core.normal_form import AS_IT_IS
from seq2seq_core.tokenization.encode import LengthLimits, Tokenizers, encode_split
from seq2seq_core.tokenization.subword import train_subword
from seq2seq_core.tokenization.tags import TagColumns

VOCABULARY, WORDS = 8000, 30_000


def make_pairs(count: int) -> list[dict[str, str]]:
    """Pairs of 4 to 29 words a side, frequent words more often, as in natural text."""
    chance = Random(1)
    words = ["".join(chance.choices("etaoinshrdlucmfwypvbgkqjxz", k=chance.randint(1, 9))) for _ in range(WORDS)]
    weights = [1 / rank for rank in range(1, WORDS + 1)]

    def text() -> str:
        return " ".join(chance.choices(words, weights, k=chance.randint(4, 29)))

    return [{SOURCE: f"{text()} {number}.", TARGET: f"{text()}ä."} for number in range(count)]


def measure(task: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of a task."""
    start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    task()
    end = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter() - start, end.ru_utime + end.ru_stime - used.ru_utime - used.ru_stime


def main() -> None:
    """Prints the best seconds of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    pairs = make_pairs(asked.pairs)
    texts = {side: [pair[side] for pair in pairs] for side in (SOURCE, TARGET)}
    model = train_subword([*texts[SOURCE][:20_000], *texts[TARGET][:20_000]], SubwordSettings(vocabulary_size=VOCABULARY))
    bare = sentencepiece.SentencePieceProcessor(model_proto=model.proto)
    with tempfile.TemporaryDirectory() as name, uncollected_imports():
        path, both = Path(name) / "train.jsonl", Tokenizers(model, model)
        write_pairs(path, pairs)
        tasks: dict[str, Callable[[], object]] = {
            "bare": lambda: [bare.encode(side, num_threads=2) for side in texts.values()],
            "s2s tokenize": lambda: encode_split(
                PairReader(path, both, TagColumns(), AS_IT_IS, []).chunks(), both, path.parent, "train", LengthLimits(512, 512)
            ),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
        for _ in range(asked.rounds):
            for name, task in tasks.items():
                found[name].append(measure(task))
    best = {name: [min(seconds) for seconds in zip(*rounds, strict=True)] for name, rounds in found.items()}
    print(f"{asked.pairs} pairs, best of {asked.rounds}; MLflow {mlflow.__version__} is imported, as in a stage")
    for name, (wall, cpu) in best.items():
        print(f"{name:14} wall {wall:6.2f} s   CPU {cpu:6.2f} s")
    wall, cpu = (ours / theirs for ours, theirs in zip(best["bare"], best["s2s tokenize"], strict=True))
    print(f"speed of ours against bare: {wall:.2f} by wall time, {cpu:.2f} by CPU time (wanted: 0.85)")


if __name__ == "__main__":
    main()
