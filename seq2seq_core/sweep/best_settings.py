"""The best trial's settings as a parameters file, and its training state handed over to ``s2s train``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.config.yaml_text import parse_document, write_document
from seq2seq_core.errors import UserError, WorkspaceBusy
from seq2seq_core.sweep.dotted import put_setting
from seq2seq_core.sweep.results import TrialResult, describe_values
from seq2seq_core.training.state.checkpoint_store import FINISHED_FILE
from seq2seq_core.training.state.folder_lock import LOCK_FILE, lock_folder

MARK = "# The best trial of the sweep "
"""The first words of a settings file written by a sweep."""


def check_target(target: Path) -> None:
    """Checks that ``--write`` does not overwrite a file that no sweep wrote.

    Args:
        target: the file to write.

    Raises:
        UserError: the file exists and was not written by a sweep.
    """
    if target.exists() and not target.read_text(encoding="utf-8", errors="replace").startswith(MARK):
        raise UserError(f"--write: must be a new file or one that a sweep wrote, got {target}; params.yaml is changed by --apply")


def write_best(best: TrialResult, sweep: str, metric: str, changed: Mapping[str, object], paths: Paths, target: Path) -> None:
    """Writes ``params.yaml`` with the best trial's settings to a file; comments are kept.

    Args:
        best: the best trial.
        sweep: the sweep's name.
        metric: the metric of the ranking.
        changed: the settings to change, by name.
        paths: the workspace; reads ``params.yaml``.
        target: the file to write; other files than ``params.yaml`` begin with a comment about the sweep.
    """
    document = parse_document(paths.params.read_text(encoding="utf-8"))
    for name, value in changed.items():
        put_setting(document, name, value)
    parse_settings(document, source=str(target))
    text = write_document(document)
    if target.resolve() != paths.params.resolve():
        head = f"{MARK}{sweep}: trial {best.number}, dev {metric} {best.value:.4f}, with {describe_values(best.values)}.\n"
        text = f"{head}# To take it:  s2s configure {target}\n{text}"
    atomic.write_text(target, text)


def hand_over_state(state: Path, paths: Paths) -> bool:
    """Copies the finished training state of a trial to where ``s2s train`` finds it; returns whether it is there.

    ``s2s train`` then writes its bundle without training.

    Args:
        state: the folder of the trial's training state.
        paths: the workspace; writes ``.s2s/train``.
    """
    target = paths.training_state / state.name
    if not (state / FINISHED_FILE).is_file():
        return False
    try:
        with lock_folder(target):
            if not (target / FINISHED_FILE).exists():
                shutil.copytree(state, target, ignore=shutil.ignore_patterns(FINISHED_FILE, LOCK_FILE), dirs_exist_ok=True)
                shutil.copy2(state / FINISHED_FILE, target)  # last, so that an interrupted copy does not count as finished
    except WorkspaceBusy:
        return False
    return True
