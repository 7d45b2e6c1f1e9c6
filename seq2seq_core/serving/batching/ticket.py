"""Requests that wait for their predictions, and the batches that are made of their rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.errors import EnvironmentFault

if TYPE_CHECKING:
    from seq2seq_core.decoding.source_encoder import SourceItem


TOO_LATE = "not finished within the time that a request may take"
"""The message of a request whose deadline has passed."""


class NotAnswered(EnvironmentFault):
    """A request that may succeed later."""


class Busy(NotAnswered):
    """Too many rows wait already."""


class Expired(NotAnswered):
    """The request's deadline has passed."""


class Abandoned(NotAnswered):
    """Nobody waits for the answer any more."""


class DecoderLost(NotAnswered):
    """What decoded the batch has died, or was stopped because it did not answer."""


class Row(NamedTuple):
    """A row of a request.

    Attributes:
        source: a text, the samples of a recording, or the frames of a picture.
        tags: its tag columns.
        length: the source's tokens or frames; 0: it has no text.
        phrases: what its targets must and must not contain, without glossary; None: nothing is asked.
        work: source tokens that take as long as this row, where forced phrases make it slower.
    """

    source: SourceItem
    tags: Mapping[str, str]
    length: int
    phrases: Phrases | None = None
    work: int = 0

    @property
    def size(self) -> int:
        """Source tokens that take as long as this row."""
        return max(self.length, self.work)


@dataclass(frozen=True)
class Mode:
    """What all rows of a batch must agree on.

    Attributes:
        options: the decoding options.
        keep_alignments: whether hypotheses carry their alignment.
        width: most hypotheses of a row that are decoded at the same time; 0: as many as the options say.
    """

    options: DecodingOptions
    keep_alignments: bool = False
    width: int = 0


class Ticket:
    """The place of a request in the queue, through which it gets its predictions.

    Args:
        rows: its rows.
        mode: how they are decoded.
        deadline: by the monotonic clock; None: there is none.
    """

    def __init__(self, rows: Sequence[Row], mode: Mode, deadline: float | None = None) -> None:
        self.rows, self.mode, self.deadline = rows, mode, deadline
        self.waiting = sorted(range(len(rows)), key=lambda place: rows[place].size)
        """The positions of the rows that are in no batch yet; the longest is the last, and taken first."""
        self.turn = time.monotonic()
        """When it is this request's turn: at first its arrival, then the end of its last batch."""
        self._found: list[Prediction | None] = [None] * len(rows)
        self._missing = len(rows)
        self._error: Exception | None = None
        self._is_done = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for the rest of its rows: it is answered, failed, abandoned or too late."""
        return self._is_done.is_set() or (self.deadline is not None and time.monotonic() >= self.deadline)

    def answer(self, place: int, prediction: Prediction) -> None:
        """Takes the prediction of a row.

        Args:
            place: the row's position.
            prediction: its prediction.
        """
        self._found[place] = prediction
        self._missing -= 1
        if not self._missing:
            self._is_done.set()

    def fail(self, error: Exception) -> None:
        """Ends the wait with an error, unless the request has ended; an error after the deadline is that it has passed.

        Args:
            error: what :meth:`result` raises.
        """
        if not self._is_done.is_set():  # a decoder that was stopped at the deadline raises before the waiting thread wakes up
            self._error = Expired(TOO_LATE) if self.is_over else error
            self._is_done.set()

    def abandon(self, reason: str = "nobody waits for the answer") -> None:
        """Takes the request back: its rows are not decoded any more.

        Args:
            reason: why.
        """
        self.fail(Abandoned(reason))

    def result(self) -> list[Prediction]:
        """The prediction of each row, in order, as soon as there are all.

        Raises:
            NotAnswered: the request was refused, abandoned or lost, or its deadline has passed.
        """
        left = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        if not self._is_done.wait(left):
            self.fail(Expired(TOO_LATE))
        if self._error is not None:
            raise self._error
        return [one for one in self._found if one is not None]


@dataclass
class Batch:
    """Rows that are decoded together.

    Attributes:
        mode: how they are decoded.
        owners: of each row, the request and the row's position there.
    """

    mode: Mode
    owners: list[tuple[Ticket, int]] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        """The rows, in order."""
        return [ticket.rows[place] for ticket, place in self.owners]

    @property
    def tickets(self) -> list[Ticket]:
        """The requests that it serves, each once."""
        return list(dict.fromkeys(ticket for ticket, _ in self.owners))

    @property
    def work(self) -> int:
        """The source tokens that are decoded, padding included, counted once per hypothesis."""
        return work_of(len(self.owners), max((row.size for row in self.rows), default=0), self.mode)

    def is_over(self) -> bool:
        """Whether none of its requests is waited for."""
        return all(ticket.is_over for ticket, _ in self.owners)


def work_of(num_rows: int, longest: int, mode: Mode) -> int:
    """The source tokens of a batch, padding included, counted once per hypothesis.

    Args:
        num_rows: its rows.
        longest: the size of its largest row.
        mode: how it is decoded.
    """
    return num_rows * max(1, longest) * (mode.width or mode.options.rows_per_source)


class Decoder(Protocol):
    """Decodes batches; each has a thread of the batcher for itself."""

    def prepare(self) -> None:
        """Returns when a batch can be decoded, after a restart where that is needed."""

    def decode(self, rows: Sequence[Row], mode: Mode, stop: Callable[[], bool]) -> list[Prediction]:
        """The prediction of each row, in order.

        Args:
            rows: the rows.
            mode: how to decode them.
            stop: becomes true when nobody waits for the predictions any more; the decoder may then end with anything.

        Raises:
            DecoderLost: the decoder has died.
            DecodingStopped: ``stop`` said so.
        """

    def close(self) -> None:
        """Frees what the decoder holds."""
