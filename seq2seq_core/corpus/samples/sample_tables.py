"""The tables of a sample corpus, written so that no table of somebody else is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.errors import UserError


def check_tables(folder: Path, texts: Mapping[str, str], is_forced: bool) -> None:
    """Refuses a folder that has a table of one of the names with other content.

    Args:
        folder: the output folder; it may be missing.
        texts: the content of each table, by the name of its file.
        is_forced: whether such tables are to be replaced.

    Raises:
        UserError: there is one; nothing is written.
    """
    found = [folder / name for name, text in texts.items() if _is_other(folder / name, text.encode("utf-8"))]
    if found and not is_forced:
        raise UserError(
            f"{', '.join(map(str, found))}: {'has' if len(found) == 1 else 'have'} other content, which would be lost; expected a "
            "folder without it (--output FOLDER), or --force to replace it"
        )


def write_tables(folder: Path, texts: Mapping[str, str], is_forced: bool = False) -> dict[str, str]:
    """The SHA-256 of each table, by the name of its file, once it is written.

    Args:
        folder: the output folder, created if missing; other files stay.
        texts: the content of each table, by the name of its file.
        is_forced: whether tables of the same names with other content are replaced.

    Raises:
        UserError: see :func:`check_tables`.
    """
    check_tables(folder, texts, is_forced)
    for name, text in texts.items():
        atomic.write_text(folder / name, text)
    return {name: hashlib.sha256(text.encode("utf-8")).hexdigest() for name, text in texts.items()}


def _is_other(path: Path, content: bytes) -> bool:
    return path.exists() and not (path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content)
