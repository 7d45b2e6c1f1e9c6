"""Processes of their own that have the libraries already: they are forked from a server that loads them once."""

from __future__ import annotations

import multiprocessing

CONTEXT = multiprocessing.get_context("forkserver")
"""Starts processes; one server serves all tests of a process of pytest, and what it loads is fixed when it starts."""
CONTEXT.set_forkserver_preload(
    [
        "tests.conftest",  # first: few looks for garbage while the others load
        "mlflow",
        "seq2seq_core.stages.train",
        "seq2seq_core.sweep.drive",
        "seq2seq_core.tracking.runs.stage_run",
        "tests.unit.training.distributed.rank_programs",
    ]
)
