"""The final state of a flow run in Prefect."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from flows.processes.workspace_lock import RetrainRunning
from flows.server.kept_result import keep_result
from seq2seq_core.errors import Interrupted, Seq2SeqError

SKIPPED = "Skipped"


class Unsuccessful(Exception):
    """A run that did not succeed: Prefect accepts only an exception in the state of such a run."""


def final_state(message: str, result: object, failure: Seq2SeqError | None) -> State[Any]:
    """The state of a run that has ended; the result is kept for a caller in this process.

    Args:
        message: the outcome in one sentence; Prefect shows it.
        result: what the flow returns to a caller in this process.
        failure: None after success. A run that found another one at work is not red, but *Skipped*.
    """
    keep_result(result)
    if failure is None:
        return Completed(message=message, data=result)
    if isinstance(failure, RetrainRunning):
        return Cancelled(name=SKIPPED, message=message, data=Unsuccessful(message))
    if isinstance(failure, Interrupted):
        return Cancelled(message=message, data=Unsuccessful(message))
    return Failed(message=message, data=Unsuccessful(message))
