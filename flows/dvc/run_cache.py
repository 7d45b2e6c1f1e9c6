"""Repair of DVC's cache of runs after a kill or a full disk.

DVC makes a folder for the inputs of a stage before it writes the run into it, and reads the newest file of that folder before the
stage starts. In an empty folder there is none: DVC then fails with a ``TypeError``, and would fail until an input changes. It
also empties a folder itself, when it throws away a file that a kill left half-written.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from seq2seq_core.stage_history.dvc_cache import cache_folder, dvc_folder

IN_USE_SECONDS = 1.0
"""DVC may be about to write into a folder that it made just now."""


def drop_empty_runs(workspace: Path) -> list[Path]:
    """Removes the empty folders of DVC's cache of runs; returns them, usually none.

    Args:
        workspace: a folder in the DVC repository.
    """
    dropped = []
    for folder in (cache_folder(dvc_folder(workspace)) / "runs").glob("*/*"):
        with suppress(OSError):  # it has files, or is gone
            if time.time() - folder.stat().st_mtime > IN_USE_SECONDS:
                folder.rmdir()
                dropped.append(folder)
    return dropped
