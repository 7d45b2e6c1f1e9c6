"""The exits of this process's texts: log records, standard output and standard error."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, TextIO, cast

from seq2seq_core.redaction.redactor import redact

_STREAMS = ("stdout", "stderr")


class RedactingStream:
    """A text stream that writes without secrets; all else is that of the stream below.

    Args:
        stream: receives the redacted texts.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Writes a text without secrets; returns the number of its characters."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.stream.write(redact(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def install_redaction() -> None:
    """Keeps secrets out of all that this process logs and prints, tracebacks included; a second call changes nothing.

    Each log record is made without secrets, so that this holds for the handlers of every library.
    """
    make_record = logging.getLogRecordFactory()
    if not isinstance(make_record, _RedactedRecords):
        logging.setLogRecordFactory(_RedactedRecords(make_record))
    for name in _STREAMS:
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, RedactingStream):
            setattr(sys, name, RedactingStream(stream))


def data_stream() -> TextIO:
    """Standard output for data that a user asked for, such as predictions, which must stay as they are."""
    stream = cast("RedactingStream | TextIO", sys.stdout)
    return stream.stream if isinstance(stream, RedactingStream) else stream


class _RedactedRecords:
    """Makes log records whose message and traceback hold no secret.

    Args:
        make_record: the factory of records before.
    """

    def __init__(self, make_record: Callable[..., logging.LogRecord]) -> None:
        self.make_record = make_record

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record = self.make_record(*arguments, **named)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # wrong arguments: the handler reports them on standard error
            return record
        if (redacted := redact(message)) != message:
            record.msg, record.args = redacted, None
        if record.exc_info and record.exc_info[1] is not None:
            text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
            if (redacted := redact(text)) != text:
                # Handlers print this text in place of the exception.
                record.exc_info, record.exc_text = None, redacted
        return record
