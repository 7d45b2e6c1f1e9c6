from __future__ import annotations

import pytest

from seq2seq_core.artifacts import Paths
from tests.learning.words import make_corpus


@pytest.fixture(scope="session")
def word_corpus(run_seed: int, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A tokenised corpus of words, drawn anew for each run of the tests."""
    paths = Paths(tmp_path_factory.mktemp("words"))
    make_corpus(paths, run_seed)
    return paths
