"""The Prefect flow ``stage``: a stage on a worker of a work pool; entry point of the deployments of ``s2s setup-prefect``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.artifacts import Artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed

from flows.machines.signs_of_life import signs_of_life
from flows.machines.stage_order import ANSWER_KEY, ANSWER_TYPE, FLOW, StageAnswer, StageOrder
from flows.machines.worker_stage import work_on
from flows.processes.cancellation import Cancellation
from flows.server.earlier_runs import show_wait
from flows.server.engine_log import quiet_engine
from flows.server.final_state import Unsuccessful
from flows.server.redacted_reports import keep_secrets
from flows.server.run_events import announced_run
from flows.server.slots import no_slots_while_away
from seq2seq_core.proxies import exempt_loopback


@flow(name=FLOW, persist_result=False, log_prints=False)
def pool_stage(order: StageOrder, lost_after_seconds: float = 120.0) -> State[Any]:
    """Run one stage of a retrain that works on another machine.

    Args:
        order: The stage, its commit, settings and inputs; made by the flow retrain.
        lost_after_seconds: Time without a sign of life after which the flow retrain takes this run for lost.
    """
    keep_secrets()
    exempt_loopback()
    quiet_engine()
    logger, cancellation = get_run_logger(), Cancellation()

    def note_wait(reason: str) -> None:
        show_wait(reason)
        logger.info("%s", f"waiting: {reason}" if reason else "the worker's clone is free")

    with announced_run(), no_slots_while_away():
        with signs_of_life(UUID(order.parent_run), lost_after_seconds, cancellation, logger):
            answer = work_on(order, cancellation, note_wait, logger)
        Artifact(type=ANSWER_TYPE, key=ANSWER_KEY, data=answer.model_dump(mode="json")).create()
        return _to_state(answer)


def _to_state(answer: StageAnswer) -> State[Any]:
    """Prefect's state of the stage."""
    if answer.state == "cancelled":
        return Cancelled(message=answer.reason, data=Unsuccessful(answer.reason))
    if answer.state == "failed":
        return Failed(message=answer.reason, data=Unsuccessful(answer.reason))
    if answer.state == "cached":
        return Completed(name="Cached", message=answer.reason)
    return Completed(message=f"ran: {answer.reason}" if answer.reason else None)
