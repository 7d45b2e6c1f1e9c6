"""The trials of a sweep as Prefect tasks, a few in parallel; each task is a process that trains the next open trial."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed

from flows.graph.ended_tasks import next_ended
from flows.graph.policy_task import policy_task
from flows.processes.supervised import StopPolicy
from flows.sweeps.workers import TRIAL_MARK, Workers, explain_end
from seq2seq_core.config.runtime import FlowSettings, ResolvedPolicy
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import EnvironmentFault, Seq2SeqError

Future = PrefectFuture[Any]
STAGE = "train"
"""The stage whose policy (time limit, retries, tags with limits) the tasks of trials use."""


class SweepTasks:
    """Submits the tasks of one sweep.

    Args:
        workers: starts the processes.
        flow: the policy of ``train``, and the times to stop.
        is_cancelled: whether the flow run was cancelled; called every few seconds.
    """

    def __init__(self, workers: Workers, flow: FlowSettings, is_cancelled: Callable[[], bool]) -> None:
        self.workers, self.flow, self.is_cancelled = workers, flow, is_cancelled
        self.failures: dict[int, Seq2SeqError] = {}
        self._futures: dict[int, Future] = {}
        self._ended: SimpleQueue[int] = SimpleQueue()

    def run(self, num_tasks: int) -> None:
        """Runs the tasks; after a failure it starts no more and waits for those that run.

        Args:
            num_tasks: number of trials that have to end.

        Raises:
            Interrupted: the flow run was cancelled; processes may still be running.
            Seq2SeqError: a task failed.
        """
        free, begun = list(range(self.workers.jobs)), 0
        running: dict[int, int] = {}
        while running or (begun < num_tasks and not self.failures):
            while free and begun < num_tasks and not self.failures:
                running[begun] = free.pop(0)
                self._submit(begun, running[begun])
                begun += 1
            ended = next_ended(self._ended, self.is_cancelled)
            self._futures.pop(ended).wait()
            free.append(running.pop(ended))
        if self.failures:
            raise self.failures[min(self.failures)]

    def stop(self) -> None:
        """Ends all processes and waits for their tasks."""
        self.workers.cancellation.request()
        for future in list(self._futures.values()):
            future.wait(timeout=self.flow.cancel_grace_seconds)

    def _submit(self, number: int, worker: int) -> None:
        """Submits a task."""
        policy = self.flow.policy(STAGE)
        task = policy_task(lambda: self._execute(number, worker, policy), policy, Seq2SeqError, name="trial")
        future = task.submit(return_state=False)
        self._futures[number] = future
        future.add_done_callback(lambda _: self._ended.put(number))

    def _execute(self, number: int, worker: int, policy: ResolvedPolicy) -> State[Any]:
        """One attempt at one trial."""
        logger = get_run_logger()
        if self.workers.cancellation.is_requested:
            return Cancelled(message="not started, because the flow run was cancelled")
        stop = StopPolicy(
            time_limit_seconds=policy.time_limit_seconds,
            grace_seconds=self.flow.stop_grace_seconds,
            cancel_grace_seconds=self.flow.cancel_grace_seconds,
            cancellation=self.workers.cancellation,
        )
        result = self.workers.run(worker, 1, lambda line: logger.info("%s", line), stop)
        if result.ended_by == "cancellation":
            return Cancelled(message="stopped, because the flow run was cancelled")
        if result.exit_code == 0:
            self.failures.pop(number, None)
            told = [line for line in result.lines if line.startswith(TRIAL_MARK)]
            return Completed(message=told[-1] if told else "no trial was left")
        failure = explain_end("a trial's process", result)
        if result.ended_by == "time limit":
            limit = format_seconds(policy.time_limit_seconds)
            failure = EnvironmentFault(f"a trial was stopped after the time limit of {limit} (runtime.flow.stages.{STAGE})")
        self.failures[number] = failure
        logger.error("%s", failure)
        return Failed(message=str(failure), data=failure)
