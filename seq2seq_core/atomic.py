"""Files and folders that appear only when they are whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty draft folder that takes the place of ``path`` when the ``with`` block ends, and vanishes if it raises.

    Args:
        path: the folder; its parents are made where they are missing. An older one stays until the draft is whole.
    """
    draft, old = path.with_name(f".{path.name}.draft"), path.with_name(f".{path.name}.old")
    shutil.rmtree(draft, ignore_errors=True)  # what a killed run left
    draft.mkdir(parents=True)
    try:
        yield draft
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        _name_place(error, path)
        raise
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    draft.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Stores a text (UTF-8, line ends as they are) by atomic rename.

    Args:
        path: the file; its folder is made where it is missing.
        text: the content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
    except BaseException as error:
        draft.unlink(missing_ok=True)
        _name_place(error, path)
        raise
    draft.replace(path)


def _name_place(error: BaseException, path: Path) -> None:
    """Adds what was being written to an error of the operating system that names no file, as that of a full disk does not."""
    if isinstance(error, OSError) and error.errno is not None and error.filename is None:
        error.filename = str(path)
