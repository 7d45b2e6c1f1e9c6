from __future__ import annotations

import random

import pytest


@pytest.fixture
def fresh_random() -> random.Random:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    return random.Random(seed)
