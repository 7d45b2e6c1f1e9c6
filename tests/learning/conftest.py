from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch

from seq2seq_core.artifacts import Paths
from tests.learning.words import make_corpus


@pytest.fixture
def fresh_seed() -> Iterator[int]:
    seed = random.SystemRandom().randrange(2**31)
    print(f"seed {seed}")  # noqa: T201
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield seed
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def word_corpus(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A tokenised corpus of words, drawn anew for each run of the tests."""
    seed = random.SystemRandom().randrange(2**31)
    paths = Paths(tmp_path_factory.mktemp("words"))
    make_corpus(paths, seed)
    return paths
