"""Processes of their own that have the libraries already: they are forked from a server that loads them once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable

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


def run_at_once(target: Callable[[str], None], arguments: Iterable[str]) -> None:
    """Calls a function in several processes at once; all must end well.

    Args:
        target: at the top level of its module.
        arguments: one for each process.
    """
    processes = [CONTEXT.Process(target=target, args=(argument,)) for argument in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(processes)
