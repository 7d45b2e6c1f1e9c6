"""Optuna's journal in a file that a kill at any moment leaves usable."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from seq2seq_core.file_lock import wait_for_lock


class SystemLock(JournalFileOpenLock):
    """A lock of the operating system, which lets go of it however a process ends; Optuna's own locks outlive a killed holder.

    Args:
        journal: the file that is written while the lock is held.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self.journal = journal
        self._held = ExitStack()

    def acquire(self) -> bool:
        """Waits for the lock, then removes what is left of a line that was never written to its end.

        The next line would otherwise be glued to it, and neither could be read.
        """
        self._held.enter_context(wait_for_lock(lock_of(self.journal)))
        _drop_torn_line(self.journal)
        return True

    def release(self) -> None:
        """Lets go of the lock."""
        self._held.close()


def open_journal(path: Path) -> JournalStorage:
    """The storage of studies in a journal file, made where it is missing.

    Args:
        path: the file; its folder exists.
    """
    path.touch()
    with wait_for_lock(lock_of(path)):
        _drop_torn_line(path)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=SystemLock(path)))


def lock_of(journal: Path) -> Path:
    """The file that is locked while a journal is written."""
    return journal.with_name(f"{journal.name}.lock")


def _drop_torn_line(path: Path) -> None:
    """Cuts a file off behind its last end of line; the lock is held."""
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
