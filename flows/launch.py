"""``s2s retrain``: the flow in this process, with or without a Prefect server running."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from flows.processes.workspace_lock import workspace_lock
from flows.reports.summary import RetrainSummary
from flows.server.environment import prepare_environment
from flows.server.local_console import local_console
from flows.server.local_server import prefect_server
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings

logger = logging.getLogger(__name__)


def run_retrain(root: Path, force: Sequence[str] = ()) -> RetrainSummary:
    """What one run of the flow ``retrain`` did, in this process.

    Args:
        root: the workspace.
        force: stages that run even where they are fresh.

    Raises:
        Seq2SeqError: it failed; of the kind, and with the words and the exit code, of the stage that failed.
    """
    paths = Paths(root.resolve())
    settings = load_settings(paths.params)
    with workspace_lock(paths):
        pass  # a busy workspace is told at once, not after a server has started; the flow takes the lock for itself
    prepare_environment()
    with prefect_server(paths, settings.runtime.flow.server_start_seconds):
        from flows.retrain import retrain_here

        with local_console():
            summary = retrain_here(paths.root, force)
    if summary.failure is not None:
        if summary.stages:
            logger.info("%s", summary.describe())
        raise summary.failure
    return summary
