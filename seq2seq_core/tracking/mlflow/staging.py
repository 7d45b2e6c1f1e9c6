"""Copies of files that wait to be sent, in the workspace, where what a killed process left is found and removed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from seq2seq_core.tracking.process_identity import ProcessIdentity, this_process

_MARK = "~"
"""Stands for the slash of a process's identity in a folder's name; no host name has it."""


class StagingFolder:
    """A folder of this process, made with the first copy.

    Args:
        parent: has the folders of all processes; those of dead ones are removed from it.
    """

    def __init__(self, parent: Path) -> None:
        self.parent = parent
        self._folder: Path | None = None
        for folder in parent.glob(f"*{_MARK}*"):
            owner = ProcessIdentity.parse(folder.name.rpartition(".")[0].replace(_MARK, "/"))
            if owner is not None and not owner.is_alive():
                shutil.rmtree(folder, ignore_errors=True)

    def copy(self, path: Path) -> Path:
        """A copy of a file or folder, with its name, in a folder of its own.

        Args:
            path: what is copied.

        Raises:
            OSError: it cannot be read, or the disk is full.
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
