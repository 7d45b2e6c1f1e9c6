"""Outputs of two made-up systems on a small test set."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

WORDS = [
    "ein",
    "der",
    "mann",
    "frau",
    "hund",
    "läuft",
    "sitzt",
    "auf",
    "unter",
    "dem",
    "einer",
    "straße",
    "rot",
    "blau",
    "und",
    "spielt",
    "ball",
    "gras",
]
NUM_ROWS = 120

Garble = Callable[[float, int], list[str]]
"""Outputs in which a share of the words is wrong, by a seed."""


@pytest.fixture(scope="session")
def references() -> list[str]:
    draw = random.Random(1)
    return [" ".join(draw.choices(WORDS, k=draw.randint(4, 14))) for _ in range(NUM_ROWS)]


@pytest.fixture(scope="session")
def garble(references: list[str]) -> Garble:
    def make(share: float, seed: int) -> list[str]:
        draw = random.Random(seed)
        return [" ".join(draw.choice(WORDS) if draw.random() < share else word for word in row.split()) for row in references]

    return make
