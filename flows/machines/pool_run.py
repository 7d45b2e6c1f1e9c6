"""A flow run on a work pool, seen by the flow that asked for it: its lines, its signs of life, its answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import httpx
from prefect.client.schemas.filters import ArtifactFilter, LogFilter
from prefect.client.schemas.sorting import LogSort
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.states import Cancelling, Crashed
from pydantic import ValidationError

from flows.graph.stage_failure import StageFailed
from flows.machines.stage_order import ANSWER_TYPE, BEAT_LABEL, FLOW, StageAnswer, StageOrder
from flows.processes.cancellation import Cancellation
from flows.server.flow_state import ask_once
from flows.server.run_names import model_tag
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import EXIT_CRASH, EXIT_INTERRUPTED, EXIT_USER_FAULT, Interrupted

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

POLL_SECONDS = 2.0
PAGE = 200
"""Log lines that the server gives in one answer."""
WORKER_SECONDS = 40.0
"""Longest wait for a cancelled run: a worker looks for cancelled runs every few seconds and kills after 30 s."""


def deployment_name(model_name: str, pool: str) -> str:
    """The name of the deployment that runs stages of a model on a pool.

    Args:
        model_name: ``register.model_name``.
        pool: the work pool.
    """
    return f"{model_name}-on-{pool}"


def start_pool_run(order: StageOrder, pool: str, model_name: str, lost_after_seconds: float) -> UUID:
    """Asks a work pool for a stage; returns the id of the flow run.

    Args:
        order: what the worker is to do.
        pool: the work pool.
        model_name: ``register.model_name``.
        lost_after_seconds: time without a sign of life after which the run counts as lost.

    Raises:
        StageFailed: the server does not know the deployment, or does not answer.
    """
    name = f"{FLOW}/{deployment_name(model_name, pool)}"
    title = f"{model_name} · {order.stage} on {pool}"
    try:
        parameters = {"order": order.model_dump(), "lost_after_seconds": lost_after_seconds}
        run = run_deployment(name, parameters=parameters, timeout=0, flow_run_name=title, tags=[model_tag(model_name)])
    except ObjectNotFound:
        message = f"{order.stage}: the Prefect server has no deployment {name}; `s2s setup-prefect` makes it"
        raise StageFailed(order.stage, message, "user_fault", EXIT_USER_FAULT, retryable=False) from None
    except (PrefectException, httpx.HTTPError) as error:
        message = f"{order.stage}: the Prefect server does not take the order: {type(error).__name__}: {error}"
        raise StageFailed(order.stage, message, "environment_fault", EXIT_CRASH, retryable=True) from None
    return cast("FlowRun", run).id  # it is awaitable only in asynchronous flows


class PoolRun:
    """A flow run on a work pool until its end.

    Args:
        stage: the stage that it runs.
        pool: the work pool, for messages.
        run_id: the flow run's id.
        lost_after_seconds: time without a sign of life after which it counts as lost.
    """

    def __init__(self, stage: str, pool: str, run_id: UUID, lost_after_seconds: float) -> None:
        self.stage, self.pool, self.run_id, self.lost_after_seconds = stage, pool, run_id, lost_after_seconds
        self._num_lines = 0
        self._beat: tuple[object, float] = (None, time.monotonic())
        self._is_told = False

    def follow(self, on_line: Callable[[str], None], cancellation: Cancellation) -> StageAnswer:
        """Waits for the end; passes on the lines as they come.

        Args:
            on_line: receives each line.
            cancellation: stops the run on its worker.

        Raises:
            Interrupted: it was cancelled with the flow.
            StageFailed: it ended without an answer.
        """
        stop_by: float | None = None
        with ask_once() as client:
            while True:
                if cancellation.is_requested:
                    stop_by = stop_by or self._cancel(client)
                    time.sleep(POLL_SECONDS)
                else:
                    cancellation.wait(POLL_SECONDS)
                run = self._look(client, on_line)
                if run is not None and run.state is not None and run.state.is_final():
                    break
                if stop_by is not None and time.monotonic() > stop_by:
                    raise Interrupted(f"{self.stage}: asked its worker to stop, because the flow run was cancelled")
                if run is not None and self._is_lost(run):
                    raise self._give_up(client)
            answer = self._read_answer(client)
        return answer or self._explain_silence(run, cancellation)

    def _look(self, client: SyncPrefectClient, on_line: Callable[[str], None]) -> FlowRun | None:
        """The run as it is now, after its new lines; None while the server does not answer, which is no fault of the run."""
        try:
            run = client.read_flow_run(self.run_id)
            self._pass_on(client, on_line)
        except (PrefectException, httpx.HTTPError):
            self._beat = (None, time.monotonic())
            return None
        if not self._is_told and run.state is not None and run.state.is_scheduled():
            self._is_told = True
            on_line(f"waiting for a worker of the pool {self.pool}")
        return run

    def _pass_on(self, client: SyncPrefectClient, on_line: Callable[[str], None]) -> None:
        wanted = LogFilter.model_validate({"flow_run_id": {"any_": [self.run_id]}, "level": {"ge_": logging.INFO}})
        while lines := client.read_logs(wanted, limit=PAGE, offset=self._num_lines, sort=LogSort.TIMESTAMP_ASC):
            self._num_lines += len(lines)
            self._beat = (self._beat[0], time.monotonic())  # lines are signs of life too
            for line in lines:
                on_line(line.message)

    def _is_lost(self, run: FlowRun) -> bool:
        """Whether a run that its worker has started was silent for too long."""
        beat, now = run.labels.get(BEAT_LABEL), time.monotonic()
        if beat != self._beat[0] or run.state is None or not run.state.is_running():
            self._beat = (beat, now)
        return now - self._beat[1] > self.lost_after_seconds

    def _give_up(self, client: SyncPrefectClient) -> StageFailed:
        """Marks the run as crashed, so that its process, should it live, stops."""
        silence = format_seconds(self.lost_after_seconds)
        message = f"no sign of life for {silence}: the worker was killed, or its machine is down (runtime.flow.pools)"
        with suppress(PrefectException, httpx.HTTPError):  # else the automation for dead runs marks it
            client.set_flow_run_state(self.run_id, Crashed(message=message), force=True)
        return StageFailed(self.stage, f"{self.stage}: on the pool {self.pool}: {message}", "crash", EXIT_CRASH, retryable=True)

    def _cancel(self, client: SyncPrefectClient) -> float:
        """Asks the worker to stop the run; returns the time until which to wait for it."""
        with suppress(PrefectException, httpx.HTTPError):  # else the run sees that its flow has ended
            client.set_flow_run_state(self.run_id, Cancelling(message="the flow that asked for it was cancelled"))
        return time.monotonic() + WORKER_SECONDS

    def _read_answer(self, client: SyncPrefectClient) -> StageAnswer | None:
        wanted = ArtifactFilter.model_validate({"flow_run_id": {"any_": [self.run_id]}, "type": {"any_": [ANSWER_TYPE]}})
        try:
            found: list[Any] = [artifact.data for artifact in client.read_artifacts(artifact_filter=wanted)]
        except (PrefectException, httpx.HTTPError) as error:
            message = f"{self.stage}: its answer cannot be read from the Prefect server: {type(error).__name__}: {error}"
            raise StageFailed(self.stage, message, "environment_fault", EXIT_CRASH, retryable=True) from None
        try:
            return StageAnswer.model_validate_json(found[0]) if found else None
        except ValidationError as error:
            message = f"{self.stage}: the answer of its worker is not of this version: {error.error_count()} faults"
            raise StageFailed(self.stage, message, "user_fault", EXIT_USER_FAULT, retryable=False) from None

    def _explain_silence(self, run: FlowRun | None, cancellation: Cancellation) -> StageAnswer:
        """The answer for a run that ended without one."""
        assert run is not None
        assert run.state is not None
        state = run.state
        if cancellation.is_requested:
            raise Interrupted(f"{self.stage}: stopped, because the flow run was cancelled")
        where = f"{self.stage}: its run on the pool {self.pool}"
        if state.is_cancelled():
            message = f"{where} was cancelled on the Prefect server"
            raise StageFailed(self.stage, message, "interrupted", EXIT_INTERRUPTED, retryable=False)
        message = f"{where} ended as {state.name}: {state.message or 'without a message'}"
        raise StageFailed(self.stage, message, "crash", EXIT_CRASH, retryable=True)
