"""The DVC experiment (``dvc exp run``) that a stage runs in; ``--temp`` and ``--queue`` run it in a copy of the workspace."""

from __future__ import annotations

import os
from pathlib import Path

from seq2seq_core.artifacts import Paths


def current_experiment() -> str:
    """The name of the DVC experiment that this process is a stage of; empty outside experiments."""
    return os.environ.get("DVC_EXP_NAME", "") if "DVC_STAGE" in os.environ else ""


def find_home(paths: Paths) -> Paths:
    """The workspace that keeps the records: the one that DVC copied for an experiment, else the workspace itself.

    Args:
        paths: the workspace of this process; DVC removes an experiment's copy when the experiment has ended.
    """
    origin = os.environ.get("DVC_ROOT", "")
    return Paths(Path(origin)) if current_experiment() and origin else paths
