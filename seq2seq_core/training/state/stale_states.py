"""Stale training states: warns of those that other code made, and removes superseded ones."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from seq2seq_core.errors import WorkspaceBusy
from seq2seq_core.training.state.checkpoint_store import FINISHED_FILE
from seq2seq_core.training.state.folder_lock import lock_folder
from seq2seq_core.training.state.run_key import RunKey

logger = logging.getLogger(__name__)


def report_foreign_states(folder: Path, key: RunKey) -> None:
    """Warns of unfinished trainings of the same settings and data that other code made: they are not resumed.

    Args:
        folder: folder of all states.
        key: key of the training that starts or resumes.
    """
    for other in sorted(folder.iterdir()):
        if key.is_same_task(other.name) and other.name != key.folder_name and any(other.glob("checkpoint-*.json")):
            logger.warning(
                "%s: an unfinished training with these settings and data is left out, because other code (or another PyTorch) "
                "made it; expected code %s, and the commit that made it can go on with it",
                other, key.code,
            )  # fmt: skip


def remove_superseded_states(folder: Path, key: RunKey, beginnings: Sequence[RunKey] = ()) -> None:
    """Removes the states that are no longer needed after a training is finished.

    These are other finished trainings (DVC's cache holds their bundles), and unfinished ones of the same settings and data that
    other code made. Unfinished trainings of other settings stay.

    Args:
        folder: folder of all states.
        key: key of the finished training.
        beginnings: keys of its first phases, whose states are kept.
    """
    kept = {one.folder_name for one in (key, *beginnings)}
    for other in sorted(folder.iterdir()):
        is_superseded = (other / FINISHED_FILE).exists() or key.is_same_task(other.name)
        if other.name in kept or not other.is_dir() or not is_superseded:
            continue
        try:
            with lock_folder(other):
                shutil.rmtree(other)
        except WorkspaceBusy:
            logger.debug("%s: in use, left as it is", other)
