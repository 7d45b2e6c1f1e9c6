"""How the last execution of a stage ended, and the report that is written then."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import Interrupted, Seq2SeqError, first_line
from seq2seq_core.redaction.redactor import redact

logger = logging.getLogger(__name__)
WORDS = {
    "ok": "done",
    "user_fault": "failed",
    "environment_fault": "failed",
    "crash": "crashed",
    "peer_lost": "failed",
    "interrupted": "stopped",
    "running": "not ended",
}
"""What the report says of the end of a stage, by its kind."""


@dataclass(frozen=True)
class StageEnd:
    """How the last execution of a stage ended.

    Attributes:
        stage: its name.
        kind: of the outcome; empty: it has not run here.
        message: of a failure.
        time: when it ended, in seconds since 1970; 0: it has not run here.
        why: why it ran, a line each; empty: not known.
        seconds: duration; 0: not known.
        forecast: what was foretold of it, beside what came; empty: nothing was.
    """

    stage: str
    kind: str = ""
    message: str = ""
    time: float = 0.0
    why: tuple[str, ...] = ()
    seconds: float = 0.0
    forecast: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it succeeded."""
        return self.kind == "ok"

    @property
    def word(self) -> str:
        """How it ended, in a word or two."""
        return WORDS.get(self.kind, "has not run here")

    @property
    def moment(self) -> str:
        """When it ended, in UTC."""
        return f"{datetime.fromtimestamp(self.time, UTC):%Y-%m-%d %H:%M} UTC" if self.time else ""


@contextmanager
def reported(stage: str, title: str, paths: Paths, is_last: bool) -> Iterator[None]:
    """Writes the report when a stage fails, and when the last one of the graph ends; one that is stopped has no time for it.

    The report is no output: a fault of it is only a warning.

    Args:
        stage: its name.
        title: of the page.
        paths: the workspace.
        is_last: whether no other stage follows.
    """
    try:
        yield
    except (Interrupted, KeyboardInterrupt):
        raise
    except Exception as error:
        kind = error.kind if isinstance(error, Seq2SeqError) else "crash"
        _try_to_write(paths, title, StageEnd(stage, kind, redact(str(error)), time.time()))
        raise
    if is_last:
        _try_to_write(paths, title, StageEnd(stage, "ok", "", time.time()))


def _try_to_write(paths: Paths, title: str, end: StageEnd) -> None:
    try:
        from seq2seq_core.run_report.report_page import write_report

        page = write_report(paths, title, end)
        logger.info("the report of the run: %s", page.relative_to(paths.root))
    except Exception as error:  # noqa: BLE001 - the stage's own end counts, whatever a report holds
        logger.warning("no report of the run: %s", first_line(error) or type(error).__name__)
