"""The outer boundary of every command: turns errors into messages and exit codes, and writes a stage's outcome file."""

from __future__ import annotations

import errno
import logging
import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import typer

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.unread_output import is_unread
from seq2seq_core.console import configure_logging
from seq2seq_core.errors import EXIT_CRASH, EXIT_TERMINATED, EXIT_UNREAD, Interrupted, Seq2SeqError, StorageFault
from seq2seq_core.outcome import Outcome, write_outcome
from seq2seq_core.redaction.redactor import redact
from seq2seq_core.redaction.text_exits import install_redaction
from seq2seq_core.training.distributed.rank_environment import RankPlace, is_shared, outcome_name

STORAGE_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space (`make clean` removes stage outputs, `dvc gc --workspace` old caches)",
    errno.EDQUOT: "the disk quota is used up; free some space or raise the quota",
    errno.EACCES: "permission denied; expected a file or folder that this user may use",
    errno.EPERM: "operation not permitted; expected a file or folder that this user may use",
    errno.ENOENT: "no such file or folder, or it was removed meanwhile; expected it to stay as long as the command runs",
    errno.EEXIST: "a file is there already; expected a folder, or a place for one",
    errno.ENOTDIR: "a part of this path is a file; expected a folder",
    errno.EISDIR: "is a folder; expected a file",
    errno.ENAMETOOLONG: "the name is too long; expected one that this file system can hold",
    errno.ELOOP: "its symbolic links lead in a circle; expected links that lead to a file or folder",
    errno.EROFS: "the file system is read-only; expected a place that can be written to",
}

logger = logging.getLogger(__name__)


@contextmanager
def boundary(
    debug: bool,
    verbose: bool = False,
    paths: Paths | None = None,
    stage: str | None = None,
    place: RankPlace | None = None,
    cleans_up: bool = False,
) -> Iterator[None]:
    """Runs a command's body; prints every expected error as one message and exits with its code.

    Args:
        debug: whether to show a traceback with every error.
        verbose: whether to show debug log lines.
        paths: the workspace; receives the outcome file and the traceback of a crash.
        stage: the stage's name; None where the command is not a stage. A stage's outcome is written.
        place: this process's place among the ranks of a distributed training; one rank prints for all.
        cleans_up: whether SIGTERM unwinds the command like Ctrl-C, so that it leaves nothing behind; that of a stage always does.

    Raises:
        typer.Exit: with the error's exit code.
    """
    install_redaction()
    configure_logging(verbose)
    # A script's background job starts with SIGINT ignored; a long command must still be able to save and stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    terminates = signal.signal(signal.SIGTERM, _raise_terminated) if stage is not None or cleans_up else None
    debug = debug or os.environ.get("S2S_DEBUG", "") not in ("", "0")
    if place is not None:
        quieten(place, verbose)
    leave = _OutcomeWriter(paths, stage, place)
    try:
        leave("running", "", -1, retryable=True)
        yield
        leave("ok", "", 0, retryable=False)
    except (typer.Exit, typer.Abort):
        raise
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, BrokenPipeError) and is_unread():
            leave("interrupted", "standard output lost its reader", EXIT_UNREAD, retryable=True)
            raise  # the command line ends without a message
        fault = explain(error)
        if fault is None:
            _leave_crash(error, leave, paths, debug, place)
        if debug:
            traceback.print_exception(error)
        leave(fault.kind, str(fault), fault.exit_code, retryable=fault.retryable)
        if place is None or is_spoken(error, place):
            typer.echo(f"error: {fault}", err=True)
        raise typer.Exit(fault.exit_code) from None
    finally:
        if terminates is not None:  # the outcome is written: a signal while the interpreter exits has nothing to unwind
            signal.signal(signal.SIGTERM, terminates)


def explain(error: BaseException) -> Seq2SeqError | None:
    """The error as one with a message for the user, or None for a crash (a fault of this program).

    Args:
        error: anything raised by a command.
    """
    if isinstance(error, Seq2SeqError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("interrupted; nothing is half-written, run the same command again to go on")
    if isinstance(error, OSError) and error.errno in STORAGE_ADVICE:
        where = error.filename or "output"
        return StorageFault(f"{where}: {STORAGE_ADVICE[error.errno]}")
    return None


class _OutcomeWriter:
    """Writes a stage's outcome file; does nothing for a command that is not a stage."""

    def __init__(self, paths: Paths | None, stage: str | None, place: RankPlace | None) -> None:
        self.folder = None if paths is None else paths.outcomes
        self.stage = stage
        if place is not None:
            self.stage = outcome_name(place.rank) if place.outcomes or not place.is_first else stage
            self.folder = place.outcomes or (self.folder if place.is_first else None)

    def __call__(self, kind: str, message: str, exit_code: int, retryable: bool) -> None:
        if self.folder is None or self.stage is None:
            return
        try:
            write_outcome(self.folder, Outcome(self.stage, kind, message, exit_code, retryable, os.getpid()))
        except OSError as error:
            # On a full disk only the message on standard error is possible; the driver then sees the pid of an old outcome.
            logger.warning("cannot leave the outcome in %s: %s", self.folder, error)


def _leave_crash(
    error: BaseException, leave: _OutcomeWriter, paths: Paths | None, debug: bool, place: RankPlace | None
) -> NoReturn:
    """Reports a fault of this program: its traceback goes to a file unless ``debug`` shows it."""
    text = "".join(traceback.format_exception(error))
    summary = f"{type(error).__name__}: {error}"
    if debug:
        typer.echo(text, err=True)
    file = _write_traceback(text, paths, "crash.txt" if place is None else f"crash.{outcome_name(place.rank)}.txt")
    advice = f"the traceback is in {file}" if file else "run with --debug for the traceback"
    leave("crash", summary if place is None else f"rank {place.rank}: {summary}; {advice}", EXIT_CRASH, retryable=True)
    if place is None or place.outcomes is None:
        typer.echo(f"crash: {summary}", err=True)
        if not debug:
            typer.echo(f"this is a fault of the program, not of your input; {advice}", err=True)
    raise typer.Exit(EXIT_CRASH) from None


def quieten(place: RankPlace, verbose: bool) -> None:
    """Silences the log of all ranks but rank 0, unless ``verbose``; errors are still logged."""
    if not place.is_first and not verbose:
        for name in ("seq2seq_core", "flows"):
            logging.getLogger(name).setLevel(logging.ERROR)


def is_spoken(fault: BaseException, place: RankPlace) -> bool:
    """Whether this process prints a fault.

    Args:
        fault: the error.
        place: this process's place among the ranks. Under our own launcher no rank prints: the launcher does. Otherwise rank 0
            prints, and so does a rank whose fault the others do not share.
    """
    return place.outcomes is None and (place.is_first or not is_shared(fault))


def _write_traceback(text: str, paths: Paths | None, name: str) -> Path | None:
    """Stores a traceback in the workspace's logs; None where that is not possible."""
    if paths is None:
        return None
    place = paths.logs / name
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(redact(text), encoding="utf-8")
    except OSError:
        return None
    return place


def _raise_terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Turns SIGTERM into an error that unwinds, so that files are cleaned up and the outcome is left."""
    raise Interrupted("terminated (SIGTERM); nothing is half-written, run the same command again to go on", EXIT_TERMINATED)
