"""Processes that train the trials of one sweep side by side; none outlives the one that started them."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from flows.processes.cancellation import Cancellation
from flows.processes.supervised import CommandResult, StopPolicy, run_supervised
from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import EXIT_USER_FAULT, EnvironmentFault, Interrupted, Seq2SeqError, UserError
from seq2seq_core.sweep.drive import SweepRequest

STOP_SECONDS = 30.0
"""How long a worker may take to save its training state when it is stopped."""
ENTRY = "from seq2seq_core.cli.main import main; main()"
ERROR_MARK, TRIAL_MARK = "error: ", "trial "
DEATHS = tuple(128 + number for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT))
"""Exit codes of a process that something killed, such as a machine whose memory runs out."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workers:
    """Starts workers of one sweep.

    Attributes:
        request: the sweep.
        paths: the workspace.
        jobs: how many there are at once, which share the cores.
        cancellation: stops all of them.
    """

    request: SweepRequest
    paths: Paths
    jobs: int
    cancellation: Cancellation

    def run(self, worker: int, max_trials: int, on_line: Callable[[str], None], policy: StopPolicy) -> CommandResult:
        """How a worker ended; one that died while it trained a trial is started again.

        That comes to an end, because a trial whose process dies again and again has failed (seq2seq_core/sweep/attempts.py).

        Args:
            worker: its number.
            max_trials: after how many trials it ends; 0: when none is left.
            on_line: receives each line of its output.
            policy: when it is stopped.
        """
        command = [
            sys.executable, "-P", "-c", ENTRY, "sweep-trials", str(self.request.file), "--workspace", str(self.paths.root),
            "--worker", str(worker), "--max", str(max_trials), "--trials", str(self.request.trials),
        ]  # fmt: skip
        command += ["--name", self.request.name] if self.request.name else []
        while True:
            result = run_supervised(command, self.paths.root, self._environment(), on_line, policy)
            has_trained = any(line.startswith(TRIAL_MARK) for line in result.lines)
            if result.ended_by != "itself" or result.exit_code not in DEATHS or not has_trained:
                return result
            on_line(f"the process died with exit code {result.exit_code}; another takes its place")

    def _environment(self) -> dict[str, str]:
        """The workers' environment: the cores are shared out where nobody has said how many threads there are to be."""
        threads = max(1, (os.cpu_count() or 1) // self.jobs)
        return {"OMP_NUM_THREADS": str(threads), **os.environ}


def run_workers(request: SweepRequest, paths: Paths, jobs: int) -> None:
    """Returns when no trial of a sweep is left.

    Args:
        request: the sweep.
        paths: the workspace.
        jobs: how many processes.

    Raises:
        Interrupted: this process was asked to stop; so were the workers, and their trials go on when the sweep does.
        Seq2SeqError: a worker failed; the others went on.
    """
    workers = Workers(request, paths, jobs, Cancellation())
    policy = StopPolicy(grace_seconds=STOP_SECONDS, cancel_grace_seconds=STOP_SECONDS, cancellation=workers.cancellation)

    def run(worker: int) -> CommandResult:
        return workers.run(worker, 0, lambda line: logger.info("[%d] %s", worker + 1, line), policy)

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run, worker) for worker in range(jobs)]
        try:
            results = [future.result() for future in futures]
        except KeyboardInterrupt:
            workers.cancellation.request()
            raise Interrupted("interrupted; every worker has saved its trial, the same command goes on from there") from None
    for worker, result in enumerate(results):
        if result.exit_code != 0:
            raise explain_end(f"worker {worker + 1}", result)


def explain_end(who: str, result: CommandResult) -> Seq2SeqError:
    """The error for a worker that failed, in its own words.

    Args:
        who: the worker.
        result: how it ended.
    """
    said = [line.removeprefix(ERROR_MARK) for line in result.lines if line.startswith(ERROR_MARK)]
    if result.exit_code == EXIT_USER_FAULT and said:
        return UserError(said[-1])
    last = said[-1] if said else result.lines[-1] if result.lines else "it said nothing"
    return EnvironmentFault(
        f"{who} ended with exit code {result.exit_code}: {last}; its trial is not lost, the same command goes on with it"
    )
