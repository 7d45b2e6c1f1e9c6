"""Prefect's own lines in the log of a run, without what the flow has already said."""

from __future__ import annotations

import logging
import re

from flows.server.final_state import Unsuccessful

ENGINE_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")
ENDED = re.compile(r"(?s)(Finished in state (?!Completed|Cached)\w+)\(.*\)")


def quiet_engine() -> None:
    """Shortens what Prefect's engine logs about ended runs: the flow itself logs each reason, once.

    The line about a run that did not succeed loses its message, and the empty traceback ``NoneType: None``. The traceback of the
    exception that the engine makes of a returned state is left out.
    """
    for name in ENGINE_LOGGERS:
        logger = logging.getLogger(name)
        if _shorten not in logger.filters:
            logger.addFilter(_shorten)


def _shorten(record: logging.LogRecord) -> bool:
    kind = record.exc_info[0] if record.exc_info else None
    if kind is Unsuccessful:
        return False
    if kind is None:
        record.exc_info = None
    if isinstance(record.msg, str) and not record.args and (match := ENDED.fullmatch(record.msg)):
        record.msg = match[1]
    return True
