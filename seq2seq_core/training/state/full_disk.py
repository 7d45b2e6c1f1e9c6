"""The error of a full disk: the file to write, the free space, and what can be removed."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_core.errors import StorageFault

REASONS = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}


@contextmanager
def explain_full_disk(folder: Path, name: str, num_bytes: int) -> Iterator[None]:
    """Turns the error of a full disk inside a ``with`` block into one that says what to remove.

    Args:
        folder: folder of the training state.
        name: name of the file that is written there.
        num_bytes: its size.

    Raises:
        StorageFault: the disk, or the quota, was full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in REASONS:
            raise
        free = shutil.disk_usage(folder).free
        raise StorageFault(
            f"{folder}: {REASONS[error.errno]}: {name} takes {format_bytes(num_bytes)}, and {format_bytes(free)} are free. "
            "What was saved before is kept, and the same command goes on from there once there is room. "
            f"To free some: {_removable(folder)}`dvc gc --workspace` for old caches (not `make clean`: it removes this state too)"
        ) from error


def format_bytes(number: int) -> str:
    """A size for people: ``812 bytes``, ``4.0 MB``, ``1.3 GB``."""
    if number < 1_000_000:
        return f"{number:,} bytes"
    return f"{number / 1e6:.1f} MB" if number < 1_000_000_000 else f"{number / 1e9:.1f} GB"


def _removable(folder: Path) -> str:
    """The states of other trainings beside a state, where there are some."""
    others = [other for other in folder.parent.iterdir() if other.is_dir() and other != folder]
    size = sum(path.stat().st_size for other in others for path in other.rglob("*") if path.is_file())
    return f"{format_bytes(size)} of other trainings' states in {folder.parent}, " if size else ""
