"""The signs of life of a stage on a worker, and its watch over the runs that it works for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException

from flows.machines.stage_order import BEAT_LABEL, BEATS
from flows.processes.cancellation import Cancellation
from flows.server.flow_state import ask_once
from seq2seq_core.console import Logger

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

REPEAT_SECONDS = 1.0
"""Pause before a sign of life that the server did not take: it may be busy for a moment."""


@contextmanager
def signs_of_life(parent: UUID, lost_after_seconds: float, cancellation: Cancellation, logger: Logger) -> Iterator[None]:
    """Sends signs of life during the ``with`` block, and stops the stage when nobody waits for it any more.

    Args:
        parent: the id of the flow run that waits for the stage.
        lost_after_seconds: the time after which that run gives a silent stage up.
        cancellation: requested when that run, or this one, has ended on the server.
        logger: receives a line about that.
    """
    context = FlowRunContext.get()
    own = context.flow_run.id if context and context.flow_run else None
    if own is None:
        yield
        return
    over = threading.Event()

    def beat() -> None:
        number = 0
        with ask_once() as client:
            while True:
                number += 1
                ended = _beat(client, own, parent, number)
                if ended:
                    logger.warning("%s", ended)
                    cancellation.request()
                    return
                pause = lost_after_seconds / BEATS
                if over.wait(min(pause, REPEAT_SECONDS) if ended is None else pause):
                    return

    thread = threading.Thread(target=beat, name="signs-of-life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(lost_after_seconds)


def _beat(client: SyncPrefectClient, own: UUID, parent: UUID, number: int) -> str | None:
    """Sends one sign of life; returns why the stage must stop, an empty text where it need not, None where the server is away."""
    try:
        client.update_flow_run_labels(own, {BEAT_LABEL: f"{number} {time.time():.0f}"})
        runs = {"this run": client.read_flow_run(own), "the flow run that asked for it": client.read_flow_run(parent)}
    except (PrefectException, httpx.HTTPError):
        return None
    ended = [f"{name} is {run.state.name}" for name, run in runs.items() if run.state is not None and run.state.is_final()]
    return f"the stage stops, because {ended[0]}" if ended else ""
