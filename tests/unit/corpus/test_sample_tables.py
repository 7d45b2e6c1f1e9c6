"""A sample never replaces a table of somebody else without being told to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.corpus.samples.sample_dates import write_sample_corpus
from seq2seq_core.corpus.samples.sample_inflection import write_sample_inflection
from seq2seq_core.corpus.samples.sample_pictures import write_sample_pictures
from seq2seq_core.errors import UserError

FEW = {"train": 3, "dev": 2, "test": 2}


def pictures(folder: Path, is_forced: bool = False) -> object:
    return write_sample_pictures(folder, FEW, is_forced)


@pytest.mark.parametrize("write", [write_sample_corpus, write_sample_inflection, pictures])
def test_a_table_of_somebody_else_stays(write: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "dev.tsv").write_text("my only copy\t1\n")
    with pytest.raises(UserError, match=r"dev\.tsv: has other content, which would be lost; .* --force to replace it"):
        write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["dev.tsv"]
    first = write(tmp_path, is_forced=True)
    assert "my only copy" not in (tmp_path / "dev.tsv").read_text()
    assert write(tmp_path) == first  # its own tables are no others
