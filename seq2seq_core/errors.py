"""All errors for the user, each with its exit code and whether a retry can help.

A message says what is wrong, where (file and line, or ``section.field``) and what was expected.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EXIT_CRASH = 1
EXIT_USER_FAULT = 2
EXIT_INTERRUPTED = 130
EXIT_UNREAD = 141
"""Standard output lost its reader; as the shell reports of a command that SIGPIPE ended."""
EXIT_TERMINATED = 143
FULL_BYTES = 1 << 20
"""Free space below which a disk counts as full: a process that fails there has hardly another reason."""


class Seq2SeqError(Exception):
    """An error with a message for the user; shown without a traceback.

    Attributes:
        kind: the kind of fault, as in a stage's outcome.
        exit_code: the exit code of ``s2s``.
        retryable: whether running the same command again, with nothing changed, can help.
    """

    kind = "user_fault"
    exit_code = EXIT_USER_FAULT
    retryable = False


class UserError(Seq2SeqError):
    """Wrong input by the user: a file, a value, a command."""


class ConfigError(UserError):
    """The parameters are wrong; lists every fault at once.

    Args:
        faults: one line a fault, each ``section.field: must be ..., got ...``.
        source: the file (or other origin) that the parameters were read from.
    """

    def __init__(self, faults: list[str], source: str) -> None:
        self.faults = faults
        self.source = source
        noun = "fault" if len(faults) == 1 else "faults"
        super().__init__(f"{source}: {len(faults)} {noun} in the parameters\n" + "\n".join(f"  {f}" for f in faults))


class CorpusError(UserError):
    """A corpus file cannot be used; names the file and, where there is one, the line.

    Args:
        message: what is wrong and what was expected.
        path: the file.
        line: the 1-based line, if the fault has one.
    """

    def __init__(self, message: str, path: Path | str, line: int | None = None) -> None:
        self.path, self.shown_path = Path(path), str(path)
        self.line = line
        where = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{where}: {message}")


class ContractViolation(UserError):
    """The corpus breaks a data contract of severity ``error``."""


class RowsLost(UserError):
    """``prepare`` drops more rows than it may, or all of them."""


class MissingInput(UserError):
    """An input of a stage is missing; the message names the command that creates it."""


class BundleError(UserError):
    """A model bundle is missing, incomplete or of a format that this version cannot read."""


class TagError(UserError):
    """A pair's tag is missing or unknown to the model.

    Args:
        reason: which tag, what was expected and what was found.
        place: the source's position in the request, from 0, if there are several sources.
    """

    def __init__(self, reason: str, place: int | None = None) -> None:
        self.reason, self.place = reason, place
        super().__init__(reason if place is None else f"source {place + 1}: {reason}")


class SourceError(UserError):
    """The recording or picture of a source cannot be used; names the file."""


class NonFiniteOutput(UserError):
    """A model's output is no distribution: its weights, or the numbers it reads, are damaged or too large.

    Args:
        place: the source's position in the request, from 0.
    """

    def __init__(self, place: int) -> None:
        self.place = place
        super().__init__(
            f"source {place + 1}: the model's scores of the next symbol must be finite, got NaN or infinity (damaged weights, a "
            "training that diverged, or frames that are not finite)"
        )


class SourceFileError(UserError):
    """A recording or picture cannot be used; says what was found and what was expected, without naming the file."""


class WorkspaceBusy(UserError):
    """Another process holds this workspace (or this training state)."""


class EnvironmentFault(Seq2SeqError):
    """Something outside the process failed: a server, a disk, a device. A retry can help."""

    kind = "environment_fault"
    retryable = True


class TrackingUnreachable(EnvironmentFault):
    """The MLflow server does not answer, or another process holds the MLflow database."""


class StorageFault(EnvironmentFault):
    """A full disk or a missing permission; the user must act first."""

    retryable = False


class DecodingStopped(Seq2SeqError):
    """A search was asked to stop before its hypotheses were complete: its time was over, or nobody waits for them any more."""

    kind = "interrupted"
    exit_code = EXIT_INTERRUPTED
    retryable = True


class Interrupted(Seq2SeqError):
    """The process was asked to stop (Ctrl-C or SIGTERM) and has saved what it had.

    Args:
        message: what was saved and how to resume.
        exit_code: 130 after SIGINT, 143 after SIGTERM.
    """

    kind = "interrupted"
    retryable = True

    def __init__(self, message: str, exit_code: int = EXIT_INTERRUPTED) -> None:
        self.exit_code = exit_code
        super().__init__(message)


_LIBRARY_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


@contextmanager
def library_errors(translate: Callable[[Exception], Exception], *others: type[Exception]) -> Iterator[None]:
    """Turns whatever a library raises on a damaged file into one error; an error of the operating system passes as it is.

    Args:
        translate: makes the error from the library's one.
        others: the library's own classes that derive from none of Python's usual ones.
    """
    kinds = _LIBRARY_ERRORS + others
    try:
        yield
    except kinds as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise translate(error) from None


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return next(iter(str(error).splitlines()), "")


def describe_full_disk(folder: Path) -> str:
    """What a message about a failure adds where the disk is full; empty: it is not.

    Args:
        folder: on the disk.
    """
    return f"; the disk of {folder} is full" if shutil.disk_usage(folder).free < FULL_BYTES else ""
