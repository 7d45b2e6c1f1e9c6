"""The toy corpus of the tests that train: words, and the same words backwards."""

from __future__ import annotations

import json
import random

from seq2seq_core.artifacts import Paths

LETTERS, LONGEST = "abcdefgh", 6


def write_reversed_words(paths: Paths, train: int = 60, dev: int = 8, test: int = 4) -> None:
    """Leaves what ``s2s prepare`` leaves, the same at every call.

    Args:
        paths: a workspace without prepared pairs.
        train: number of pairs.
        dev: number of pairs.
        test: number of pairs.
    """
    chance = random.Random(3)
    paths.prepared.mkdir(parents=True)
    for split, count in (("train", train), ("dev", dev), ("test", test)):
        words = ["".join(chance.choices(LETTERS, k=chance.randint(1, LONGEST))) for _ in range(count)]
        lines = [json.dumps({"source": word, "target": word[::-1]}) for word in words]
        paths.prepared_split(split).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
