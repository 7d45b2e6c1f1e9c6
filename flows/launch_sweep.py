"""``s2s sweep --prefect``: the flow in this process, with or without a Prefect server running."""

from __future__ import annotations

from flows.server.environment import prepare_environment
from flows.server.local_console import local_console
from flows.server.local_server import prefect_server
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.sweep.drive import SweepRequest
from seq2seq_core.sweep.results import SweepResults


def run_sweep_flow(request: SweepRequest, paths: Paths, jobs: int) -> SweepResults:
    """The results of one run of the flow ``sweep``, in this process.

    Args:
        request: the sweep.
        paths: the workspace.
        jobs: how many trials run side by side.

    Raises:
        Seq2SeqError: it failed, or was cancelled.
    """
    start_seconds = load_settings(paths.params).runtime.flow.server_start_seconds
    prepare_environment()
    with prefect_server(paths, start_seconds):
        from flows.sweep import sweep_here

        with local_console():
            return sweep_here(request, paths, jobs)
