from __future__ import annotations

import random

import pytest
import torch


@pytest.fixture(autouse=True)
def fresh_seed() -> int:
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")  # noqa: T201
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return seed
