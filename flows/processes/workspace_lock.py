"""One ``retrain`` at a time in a workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import WorkspaceBusy
from seq2seq_core.file_lock import hold_lock


class RetrainRunning(WorkspaceBusy):
    """A retrain is already running in this workspace."""


WAIT_SECONDS = 2.0
"""Pause between two attempts to get the lock."""


@contextmanager
def workspace_lock(paths: Paths, on_wait: Callable[[str], None] | None = None) -> Iterator[int]:
    """Holds the workspace's lock for the ``with`` block; gives its file descriptor.

    A child process that inherits the descriptor keeps the lock until it ends: no new run starts while the stages of a killed run
    are being stopped.

    Args:
        paths: the workspace; locks ``.s2s/retrain.lock``.
        on_wait: waits until the lock is free, and is told once why, and with an empty text when the wait is over; None: does not
            wait.

    Raises:
        RetrainRunning: another run holds the lock; the message names its process.
    """
    has_waited = False
    with ExitStack() as stack:
        while True:
            lock = hold_lock(paths.work / "retrain.lock", lambda holder: RetrainRunning(_describe_holder(paths, holder)))
            try:
                descriptor = stack.enter_context(lock)
                break
            except RetrainRunning as busy:
                if on_wait is None:
                    raise
                if not has_waited:
                    on_wait(str(busy))
                has_waited = True
            time.sleep(WAIT_SECONDS)
        if has_waited and on_wait is not None:
            on_wait("")
        yield descriptor


def find_holder(paths: Paths) -> int | None:
    """The process id of the retrain that works in a workspace, or None; the lock itself is not touched.

    Args:
        paths: the workspace.
    """
    file = paths.work / "retrain.lock"
    try:
        pid = int(file.read_text(encoding="utf-8").strip())
        opened = psutil.Process(pid).open_files()
    except (OSError, ValueError, psutil.Error):
        return None
    return pid if any(Path(one.path) == file.resolve() for one in opened) else None


def _describe_holder(paths: Paths, written: str) -> str:
    """The message about the process that holds the lock."""
    pid = int(written) if written.isdigit() else None
    if pid is not None and not psutil.pid_exists(pid):
        return (
            f"{paths.root}: the retrain of process {pid} was killed here and its stages are still being stopped; "
            "try again in a few seconds"
        )
    who = f"process {pid}" if pid is not None else "another process"
    return f"{paths.root}: a retrain is already running here ({who}); wait for it to end, or cancel it"
