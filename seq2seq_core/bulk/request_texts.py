"""The texts of requests in files of any format that bulk jobs read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from seq2seq_core.bulk.input_files import describe_input
from seq2seq_core.bulk.input_survey import SURVEY_ROWS, read_blocks
from seq2seq_core.bulk.row_block import source_of
from seq2seq_core.errors import UserError

logger = logging.getLogger(__name__)
MOST_TEXTS = 500_000


def read_texts(files: Sequence[Path], column: str) -> list[str]:
    """The sources in some files, at most :data:`MOST_TEXTS`; rows that hold none are left out, with a warning.

    Args:
        files: one text a line, TSV, CSV, JSON lines or Parquet, plain or packed by gzip.
        column: the source's column; ``a.b`` is the member ``b`` of ``a``.

    Raises:
        CorpusError: a file as a whole cannot be read, or lacks the column.
        UserError: there is no such file, or pyarrow is needed and not installed.
    """
    texts, faults = list[str](), 0
    for path in files:
        if not path.is_file():
            raise UserError(f"{path}: no such file; expected one with the texts of requests")
        for block in read_blocks(describe_input(path, path.name), column, (), SURVEY_ROWS):
            found = [source_of(row.cells, column) for row in block.rows if not row.fault]
            texts += [text for text in found if isinstance(text, str) and text.strip()]
            faults += sum(bool(row.fault) for row in block.rows)
            if len(texts) >= MOST_TEXTS:
                logger.warning("%s: more than %d texts; the others are not read", path, MOST_TEXTS)
                break
    if faults:
        logger.warning("%d rows hold no text in the column %r and are left out", faults, column)
    return texts[:MOST_TEXTS]
