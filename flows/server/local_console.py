"""The console output of a local run: lines of the stages and of this project, without Prefect's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUN_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


class _Forward(logging.Handler):
    """Passes the log records of a flow run to the project's log, each with its stage's name; drops those of Prefect's engine.

    Args:
        engine: the folder of Prefect's package; records from code in it are dropped.
    """

    def __init__(self, engine: Path) -> None:
        super().__init__()
        self.engine = str(engine)
        self.target = logging.getLogger("flows.run")

    def emit(self, record: logging.LogRecord) -> None:
        """See :class:`logging.Handler`."""
        if record.pathname.startswith(self.engine) or not self.target.isEnabledFor(record.levelno):
            return
        stage = getattr(record, "task_run_name", None)
        text = f"{stage} | {record.getMessage()}" if stage else record.getMessage()
        self.target.handle(logging.makeLogRecord({**record.__dict__, "msg": text, "args": None, "name": self.target.name}))


@contextmanager
def local_console() -> Iterator[None]:
    """Logs the flow runs of this process to the project's log for the ``with`` block, instead of to Prefect's console.

    Enter it after Prefect is imported: the import sets up Prefect's logging.
    """
    import prefect

    handler = _Forward(Path(prefect.__file__).parent)
    loggers = [logging.getLogger(name) for name in RUN_LOGGERS]
    before = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, propagate in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.propagate = propagate
