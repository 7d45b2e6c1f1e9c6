"""Optuna's journal in a file that stays usable after a kill at any moment."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from seq2seq_core.file_lock import wait_for_lock


class SystemLock(JournalFileOpenLock):
    """A lock of the operating system, which is released when the process ends; Optuna's own locks survive a killed holder.

    Args:
        journal: the journal file that the lock protects.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self.journal = journal
        self._held = ExitStack()

    def acquire(self) -> bool:
        """Waits for the lock, then removes an incomplete last line.

        The next line would otherwise be appended to it, and neither could be read.
        """
        self._held.enter_context(wait_for_lock(lock_of(self.journal)))
        _drop_torn_line(self.journal)
        return True

    def release(self) -> None:
        """Releases the lock."""
        self._held.close()


def open_journal(path: Path) -> JournalStorage:
    """The storage of studies in a journal file, which is created if it is missing.

    Args:
        path: the journal file; its folder must exist.
    """
    path.touch()
    with wait_for_lock(lock_of(path)):
        _drop_torn_line(path)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=SystemLock(path)))


def lock_of(journal: Path) -> Path:
    """The lock file of a journal."""
    return journal.with_name(f"{journal.name}.lock")


def _drop_torn_line(path: Path) -> None:
    """Removes an incomplete last line of a file; the caller holds the lock."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
