"""Worker processes that train the trials of one sweep in parallel; all of them end with the process that started them."""

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
"""Time that a stopped worker has to save its training state."""
ENTRY = "from seq2seq_core.cli.main import main; main()"
ERROR_MARK, TRIAL_MARK = "error: ", "trial "
DEATHS = tuple(128 + number for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT))
"""Exit codes of a killed process, for example when the machine's memory is exhausted."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workers:
    """Starts the workers of one sweep.

    Attributes:
        request: the sweep's file, name and number of trials.
        paths: the workspace, which the workers get as ``--workspace``.
        jobs: number of workers in parallel; they share the CPU cores.
        cancellation: stops all workers.
    """

    request: SweepRequest
    paths: Paths
    jobs: int
    cancellation: Cancellation

    def run(self, worker: int, max_trials: int, on_line: Callable[[str], None], policy: StopPolicy) -> CommandResult:
        """Runs a worker to its end; restarts a worker that was killed while it trained a trial.

        The restarts end, because a trial whose process dies repeatedly counts as failed (seq2seq_core/sweep/attempts.py).

        Args:
            worker: the worker's number, from 0.
            max_trials: number of trials after which the worker ends; 0 for no limit.
            on_line: receives each line of output.
            policy: when and how the worker is stopped.
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
        """The workers' environment; the workers share the cores equally unless ``OMP_NUM_THREADS`` is set."""
        threads = max(1, (os.cpu_count() or 1) // self.jobs)
        return {"OMP_NUM_THREADS": str(threads), **os.environ}


def run_workers(request: SweepRequest, paths: Paths, jobs: int) -> None:
    """Runs workers until no trial of a sweep is left.

    Args:
        request: the sweep's file, name and number of trials.
        paths: the workspace.
        jobs: number of processes.

    Raises:
        Interrupted: this process and its workers were asked to stop; the next run of the sweep resumes their trials.
        Seq2SeqError: a worker failed; the others finished their work.
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
    """The error for a failed worker, with the worker's own message.

    Args:
        who: the worker's name in the message.
        result: the end of the worker.
    """
    said = [line.removeprefix(ERROR_MARK) for line in result.lines if line.startswith(ERROR_MARK)]
    if result.exit_code == EXIT_USER_FAULT and said:
        return UserError(said[-1])
    last = said[-1] if said else result.lines[-1] if result.lines else "it said nothing"
    return EnvironmentFault(
        f"{who} ended with exit code {result.exit_code}: {last}; its trial is not lost, the same command goes on with it"
    )
