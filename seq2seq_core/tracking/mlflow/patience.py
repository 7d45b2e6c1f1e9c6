"""Waiting for an MLflow that does not answer, with growing pauses, for work that must not be lost to a restart of the server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

from seq2seq_core.console import format_seconds
from seq2seq_core.errors import TrackingUnreachable

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 20.0

Result = TypeVar("Result")
logger = logging.getLogger(__name__)


def call_patiently(work: Callable[[], Result], wait_seconds: float) -> Result:
    """The result of ``work``, which is called again after growing pauses while MLflow does not answer.

    Args:
        work: may be called several times; a call goes on from what an earlier one has done.
        wait_seconds: time from the first failure after which no further call follows; 0 for one call.

    Raises:
        TrackingUnreachable: MLflow did not answer in that time.
    """
    first_failure, pause = 0.0, FIRST_PAUSE_SECONDS
    while True:
        try:
            result = work()
        except TrackingUnreachable as error:
            now = monotonic()
            if not first_failure and wait_seconds:
                first_failure = now
                logger.warning(
                    "%s; waiting for it, for up to %s (runtime.tracking_wait_seconds; Ctrl-C stops)",
                    error, format_seconds(wait_seconds),
                )  # fmt: skip
            left = first_failure + wait_seconds - now if wait_seconds else 0.0
            if left <= 0:
                raise
            sleep(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        else:
            if first_failure:
                logger.info("MLflow answers again")
            return result
