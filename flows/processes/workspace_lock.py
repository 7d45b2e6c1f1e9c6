"""One ``retrain`` at a time in a workspace."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import WorkspaceBusy


@contextmanager
def workspace_lock(paths: Paths) -> Iterator[int]:
    """The open descriptor of the workspace's lock, held for the ``with`` block.

    A child process that inherits the descriptor keeps the lock until it ends, so that no new run starts while the stages of a
    killed one are being stopped.

    Args:
        paths: the workspace.

    Raises:
        WorkspaceBusy: another run holds it; names its process.
    """
    paths.work.mkdir(parents=True, exist_ok=True)
    place = paths.work / "retrain.lock"
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise WorkspaceBusy(_describe_holder(paths, os.pread(descriptor, 32, 0).decode())) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _describe_holder(paths: Paths, written: str) -> str:
    """A message for whoever has to wait."""
    pid = int(written) if written.isdigit() else None
    if pid is not None and not psutil.pid_exists(pid):
        return (
            f"{paths.root}: the retrain of process {pid} was killed here and its stages are still being stopped; "
            "try again in a few seconds"
        )
    who = f"process {pid}" if pid is not None else "another process"
    return f"{paths.root}: a retrain is already running here ({who}); wait for it to end, or cancel it"
