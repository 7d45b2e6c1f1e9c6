"""Atomic writes: files and folders that appear only when complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty draft folder. It replaces ``path`` when the ``with`` block ends, and is deleted if the block raises.

    Args:
        path: the folder to replace; missing parents are created. An older folder stays until the draft is complete.
    """
    draft, old = draft_of(path), path.with_name(f".{path.name}.old")
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


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """The path of a draft to write. It replaces ``path`` when the ``with`` block ends, and is deleted if the block raises.

    Args:
        path: the file to replace; its folder is created if missing. A replaced file is on the disk even after a loss of power.
            What is no file, such as ``/dev/null`` or a pipe, is written to and not replaced.
    """
    if _is_special(path):
        yield path
        return
    draft = _new_draft(path)
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        _name_place(error, path)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a text (UTF-8, line ends unchanged) by atomic rename.

    Args:
        path: the file to replace; its folder is created if missing. What is no file is written to and not replaced.
        text: the content.
    """
    if _is_special(path):
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    draft = _new_draft(path)
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        _name_place(error, path)
        raise


def write_quickly(path: Path, content: bytes) -> None:
    """Writes by atomic rename and does not wait for the disk: for what may be lost with the power, and may have several writers.

    Args:
        path: the file to replace; its folder is created if missing.
        content: all of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.write_bytes(content)
    draft.replace(path)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()


def draft_of(path: Path) -> Path:
    """The draft that replaces a file or folder."""
    return path.with_name(f".{path.name}.draft")


def _new_draft(path: Path) -> Path:
    """The draft of a file, in a folder that is there. A link in its place is deleted: what it leads to is not ours to write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(path)
    if draft.is_symlink():
        draft.unlink(missing_ok=True)
    return draft


def _name_place(error: BaseException, path: Path) -> None:
    """Gives the path to an error of the operating system that names no file, such as a full disk, or the draft."""
    if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(draft_of(path)), draft_of(path)):
        error.filename = str(path)
