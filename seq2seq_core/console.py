"""Progress and log lines on standard error: a live bar when attended, plain lines when not."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

ProgressMode = Literal["auto", "bar", "plain"]
PLAIN_INTERVAL_SECONDS = 10.0
LARGE = 100.0
"""Amounts from here on are shown without fractions."""

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]
"""What takes log lines: a logger of this program, or one of Prefect's, which are adapters."""


class Progress(Protocol):
    """Shows the progress of a long task."""

    def update(self, completed: float, message: str = "") -> None:
        """Sets the amount done, in the unit of the total, and a short message (loss, speed)."""


class _PlainProgress:
    """A log line at most every ten seconds, and one at the end."""

    def __init__(self, description: str, total: float, unit: str, start: float, log: Logger) -> None:
        self.description, self.total, self.unit, self.start = description, total, unit, start
        self.started = self.shown = time.monotonic()
        self.logger = log

    def update(self, completed: float, message: str = "") -> None:
        """See :class:`Progress`."""
        now = time.monotonic()
        if now - self.shown < PLAIN_INTERVAL_SECONDS and completed < self.total:
            return
        self.shown = now
        elapsed = now - self.started
        done = completed - self.start
        left = elapsed / done * (self.total - completed) if done else float("nan")
        self.logger.info(
            "%s: %s/%s %s, %s left%s",
            self.description, _amount(completed), _amount(self.total), self.unit, format_seconds(left),
            f", {message}" if message else "",
        )  # fmt: skip


def _amount(value: float) -> str:
    """A whole number in full, another one with three digits."""
    return f"{value:.0f}" if value >= LARGE or float(value).is_integer() else f"{value:.3g}"


class _BarProgress:
    """A live rich bar."""

    def __init__(self, bar: RichProgress, task: TaskID) -> None:
        self.bar, self.task = bar, task

    def update(self, completed: float, message: str = "") -> None:
        """See :class:`Progress`."""
        self.bar.update(self.task, completed=completed, message=message)


@contextmanager
def progress(
    description: str, total: float, unit: str = "", mode: ProgressMode = "auto", start: float = 0.0, log: Logger | None = None
) -> Iterator[Progress]:
    """A progress display for the length of a ``with`` block.

    Args:
        description: the task, such as ``train``.
        total: the amount of work, in ``unit``.
        unit: the unit of work, such as ``steps``.
        mode: ``bar``, ``plain``, or ``auto``: a bar when standard error is a terminal.
        start: the amount done before.
        log: receives plain lines; None: the project's log.
    """
    if mode == "plain" or (mode == "auto" and not sys.stderr.isatty()):
        yield _PlainProgress(description, total, unit, start, log or logging.getLogger("seq2seq_core.progress"))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn(),
        TextColumn("{task.fields[message]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _BarProgress(bar, bar.add_task(description, total=total, completed=int(start), message=""))


def format_seconds(seconds: float) -> str:
    """A readable duration: ``1 h 05 min``, ``3 min 20 s``, ``12 s``; ``?`` for NaN or infinity."""
    if seconds != seconds or seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def configure_logging(verbose: bool = False) -> None:
    """Sends the project's log lines to standard error: coloured on a terminal, plain elsewhere."""
    handler: logging.Handler
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True), show_path=False, show_level=False, log_time_format="%H:%M:%S")
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_LevelFormatter())
    for name in ("seq2seq_core", "flows"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.DEBUG if verbose else logging.INFO)
        logger.propagate = False


def tell_sparingly(seconds: float = 60.0) -> None:
    """Logs a message of the project again only after some time, whatever its figures: for processes that decode without an end.

    Args:
        seconds: the time.
    """
    for handler in logging.getLogger("seq2seq_core").handlers:
        handler.addFilter(_Sparing(seconds))


class _Sparing(logging.Filter):
    """Lets a message pass again only after some time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self._told: dict[object, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See :class:`logging.Filter`."""
        if record.created - self._told.get(record.msg, float("-inf")) < self.seconds:
            return False
        self._told[record.msg] = record.created
        return True


class _LevelFormatter(logging.Formatter):
    """The message alone, with the level in front from WARNING up."""

    def format(self, record: logging.LogRecord) -> str:
        """See :class:`logging.Formatter`."""
        message = super().format(record)
        return message if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {message}"
