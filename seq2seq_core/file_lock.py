"""Locks on files between processes, by ``flock(2)``.

The kernel releases such a lock when the last process with the open file ends, for whatever reason. A child process that inherits
the descriptor therefore keeps the lock of a killed parent.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_core.errors import UserError


@contextmanager
def hold_lock(path: Path, busy: Callable[[str], Exception]) -> Iterator[int]:
    """The open descriptor of a lock file, locked for the ``with`` block; the file then names this process.

    The lock is never released by hand, only by closing: a child that inherited the descriptor keeps it.

    Args:
        path: the lock file; created if missing, with its folder. Never a symbolic link, whose target would be overwritten.
        busy: builds the error to raise if another process holds the lock. Its argument is the content of the file: the id of
            that process, or an empty text if the process has just started.

    Raises:
        UserError: the path is a symbolic link.
    """
    descriptor = _open(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise busy(os.pread(descriptor, 32, 0).decode().strip()) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def wait_for_lock(path: Path) -> Iterator[None]:
    """Waits for a lock and holds it for the ``with`` block.

    Args:
        path: the lock file; created if missing, with its folder.

    Raises:
        UserError: the path is a symbolic link.
    """
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise UserError(f"{path}: is a symbolic link; expected a lock file of its own, or none: delete the link") from None
