from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.reading import SplitReader

ReadTrain = Callable[..., list[Row]]
WriteFile = Callable[[str, bytes], Path]


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    """Writes a file of the corpus folder ``corpus``."""

    def write(name: str, data: bytes) -> Path:
        path = tmp_path / "corpus" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    return write


@pytest.fixture
def read_train(tmp_path: Path) -> ReadTrain:
    """Reads the entries of train from the corpus folder ``corpus``."""

    def read(*entries: object, **layout: Any) -> list[Row]:
        corpus = CorpusSection.model_validate({"path": "corpus", "files": {"train": list(entries)}, **layout})
        return list(SplitReader(corpus, tmp_path, "train"))

    return read
