"""Copies of unsent files, in the workspace, so that the copies of a killed process are found and removed later."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from seq2seq_core.tracking.process_identity import ProcessIdentity, this_process

_MARK = "~"
"""Replaces the slash of a process's identity in a folder's name; host names never contain it."""


class StagingFolder:
    """The folder of this process's copies, created with the first copy.

    Args:
        parent: the folder of all processes' folders; those of dead processes are removed.
    """

    def __init__(self, parent: Path) -> None:
        self.parent = parent
        self._folder: Path | None = None
        for folder in parent.glob(f"*{_MARK}*"):
            owner = ProcessIdentity.parse(folder.name.rpartition(".")[0].replace(_MARK, "/"))
            if owner is not None and not owner.is_alive():
                shutil.rmtree(folder, ignore_errors=True)

    def copy(self, path: Path) -> Path:
        """Copies a file or folder under its own name into a new folder; returns the copy.

        Args:
            path: the file or folder to copy.

        Raises:
            OSError: the file or folder cannot be read, or the disk is full.
        """
        if self._folder is None:
            self.parent.mkdir(parents=True, exist_ok=True)
            self._folder = Path(tempfile.mkdtemp(prefix=f"{str(this_process()).replace('/', _MARK)}.", dir=self.parent))
        copy = Path(tempfile.mkdtemp(dir=self._folder)) / path.name
        shutil.copytree(path, copy) if path.is_dir() else shutil.copy2(path, copy)
        return copy

    def clear(self) -> None:
        """Removes all copies."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
