"""Collects the rows of requests that come at the same time into batches.

A decoding thread takes what has come since its last batch, so nobody waits while it is idle, and under load batches grow by
themselves. Rows that cannot be decoded together (other options) go into other batches. The request whose turn it is leads a batch;
after each batch it stands behind those that came meanwhile, so that a long request lets short ones pass.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seq2seq_core.config.serving.request_limits import RequestLimits
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.errors import DecodingStopped
from seq2seq_core.serving.batching.batch_time import BatchTime
from seq2seq_core.serving.batching.ticket import Batch, Busy, Decoder, DecoderLost, Mode, Row, Ticket, work_of

logger = logging.getLogger(__name__)
IDLE_SECONDS = 5.0
"""A thread without work ends after this time, so that a model that nobody uses is freed; the next request starts another."""


@dataclass(frozen=True)
class BatchReport:
    """What became of a batch.

    Attributes:
        rows: its rows.
        tokens: its source tokens (or frames), without padding.
        seconds: the time it took.
        waiting_rows: rows that wait after it.
        is_answered: whether its rows have predictions.
    """

    rows: int
    tokens: int
    seconds: float
    waiting_rows: int
    is_answered: bool


class Load(NamedTuple):
    """The state of the queue.

    Attributes:
        waiting_rows: rows in no batch yet.
        decoding_rows: rows of the batches that are decoded now.
        stalled_seconds: how long nothing has finished although something waits.
    """

    waiting_rows: int
    decoding_rows: int
    stalled_seconds: float


class Batcher:
    """Decodes the rows of all requests, each batch by one of several decoders.

    Args:
        decoders: what decodes; each gets a thread.
        limits: of the queue and of batches.
        observe: is told of every batch.
    """

    def __init__(
        self, decoders: Sequence[Decoder], limits: RequestLimits, observe: Callable[[BatchReport], None] = lambda report: None
    ) -> None:
        self.decoders, self.limits, self.observe = decoders, limits, observe
        self._is_closed = False
        self._start_anew()

    def _start_anew(self) -> None:
        """Makes an empty queue without threads: at the start, and in a forked process, which has no thread of its parent."""
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._tickets: list[Ticket] = []
        self._batches: list[Batch] = []
        self._threads: dict[int, threading.Thread] = {}
        self._time = BatchTime()
        self._last_end = time.monotonic()

    def submit(self, rows: Sequence[Row], mode: Mode, deadline: float | None = None) -> Ticket:
        """Puts the rows of a request into the queue.

        Args:
            rows: at least one.
            mode: how they are decoded.
            deadline: of the request, by the monotonic clock; None: there is none.

        Raises:
            Busy: too many rows wait, or the batcher was closed.
        """
        if self._process != os.getpid():
            self._start_anew()
        ticket = Ticket(rows, mode, deadline)
        with self._changed:
            waiting = self._count_waiting()
            if self._is_closed or (waiting and waiting + len(rows) > self.limits.max_waiting_rows):
                raise Busy(f"{waiting} rows wait already, at most {self.limits.max_waiting_rows} may; try again later")
            if not self._tickets and not self._batches:
                self._last_end = time.monotonic()
            self._time.add_arrival(time.monotonic())
            self._tickets.append(ticket)
            self._start_threads()
            self._changed.notify()
        return ticket

    def load(self) -> Load:
        """The state of the queue."""
        with self._changed:
            waiting, decoding = self._count_waiting(), sum(len(batch.owners) for batch in self._batches)
            stalled = time.monotonic() - self._last_end if waiting or decoding else 0.0
        return Load(waiting, decoding, stalled)

    def expected_wait(self) -> float:
        """Seconds until what waits now will be decoded, by the times of the last batches."""
        with self._changed:
            self._count_waiting()
            work = sum(work_of(1, ticket.rows[place].size, ticket.mode) for ticket in self._tickets for place in ticket.waiting)
            return self._time.seconds(work) / len(self.decoders)

    def close(self, seconds: float = 0.0) -> None:
        """Takes no further request, waits for those that were taken, and closes the decoders.

        Args:
            seconds: the longest wait; what is left then is not answered.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            self._is_closed = True
            while (self._tickets or self._batches) and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.1))
            for ticket in [*self._tickets, *(ticket for batch in self._batches for ticket in batch.tickets)]:
                ticket.fail(Busy("the server is stopping"))
            self._changed.notify_all()
        for decoder in self.decoders:
            decoder.close()

    def _count_waiting(self) -> int:
        self._tickets = [ticket for ticket in self._tickets if ticket.waiting and not ticket.is_over]
        return sum(len(ticket.waiting) for ticket in self._tickets)

    def _start_threads(self) -> None:
        """Starts the thread of each decoder that has none."""
        for number, decoder in enumerate(self.decoders):
            if number not in self._threads:
                thread = threading.Thread(target=self._work, args=(number, decoder), name=f"decoder {number}", daemon=True)
                self._threads[number] = thread
                thread.start()

    def _work(self, number: int, decoder: Decoder) -> None:
        """Decodes batches until there is nothing to do for a while."""
        while True:
            if self._wait_for_work(number):
                return
            decoder.prepare()
            batch = self._take()
            if batch is not None:
                self._decode(batch, decoder)

    def _wait_for_work(self, number: int) -> bool:
        """Returns true when the thread should end."""
        with self._changed:
            deadline = time.monotonic() + IDLE_SECONDS
            while not self._count_waiting():
                left = deadline - time.monotonic()
                if self._is_closed or left <= 0:
                    del self._threads[number]
                    return True
                self._changed.wait(left)
        return False

    def _take(self) -> Batch | None:
        """The next batch; None where another thread was faster."""
        started = time.monotonic()
        with self._changed:
            while True:
                batch = self._choose()
                if batch is None:
                    return None
                count = len(batch.owners)
                pause = self._time.pause(count, batch.work / count, time.monotonic() - started)
                if self._batches or self._is_closed or not pause or not self._changed.wait(pause):
                    break
            batch = self._choose()
            if batch is None:
                return None
            for ticket, place in batch.owners:
                ticket.waiting.remove(place)
            self._batches.append(batch)
            return batch

    def _choose(self) -> Batch | None:
        """The rows that are decoded next, which stay in the queue; None: there are none."""
        self._count_waiting()
        turns = sorted(self._tickets, key=lambda ticket: ticket.turn)
        if not turns:
            return None
        batch, longest = Batch(turns[0].mode), 0
        room = self._time.most_work(self.limits.batch_seconds)
        for ticket in turns:
            if ticket.mode != batch.mode:
                continue
            for place in reversed(ticket.waiting):
                length = max(longest, ticket.rows[place].size)
                work = work_of(len(batch.owners) + 1, length, batch.mode)
                if batch.owners and (work > room or len(batch.owners) >= self.limits.max_batch_rows):
                    return batch
                batch.owners.append((ticket, place))
                longest = length
        return batch

    def _decode(self, batch: Batch, decoder: Decoder) -> None:
        """Decodes a batch; where that fails, each request of it alone, so that only the one at fault gets the error."""
        started, is_answered = time.monotonic(), False
        rows, tickets = batch.rows, batch.tickets
        try:
            predictions = decoder.decode(rows, batch.mode, batch.is_over)
            is_answered = self._deliver(batch, predictions)
        except (DecoderLost, DecodingStopped) as error:
            self._fail(tickets, error)
        except Exception as error:  # noqa: BLE001 - whatever the search raises becomes the answer of the request at fault
            self._decode_apart(tickets, batch, decoder, error)
        finally:
            seconds = time.monotonic() - started
            with self._changed:
                self._batches.remove(batch)
                self._last_end = time.monotonic()
                if is_answered:
                    self._time.add(batch.work, seconds)
                for ticket in tickets:
                    ticket.turn = max(ticket.turn, started) + seconds
                waiting = self._count_waiting()
                self._changed.notify_all()
            tokens = sum(row.length for row in rows)
            self.observe(BatchReport(len(rows), tokens, seconds, waiting, is_answered))

    def _decode_apart(self, tickets: Sequence[Ticket], batch: Batch, decoder: Decoder, error: Exception) -> None:
        """Decodes the rows of each request of a failed batch alone."""
        if len(tickets) == 1:
            self._fail(tickets, error)
            return
        for ticket in tickets:
            if ticket.is_over:
                continue
            part = Batch(batch.mode, [owner for owner in batch.owners if owner[0] is ticket])
            try:
                self._deliver(part, decoder.decode(part.rows, part.mode, part.is_over))
            except Exception as own_error:  # noqa: BLE001 - as above
                self._fail([ticket], own_error)

    def _deliver(self, batch: Batch, predictions: Sequence[Prediction]) -> bool:
        """Gives each row its prediction; returns whether anybody waited for them."""
        if batch.is_over():
            return False
        with self._changed:
            for (ticket, place), prediction in zip(batch.owners, predictions, strict=True):
                ticket.answer(place, prediction)
        return True

    def _fail(self, tickets: Sequence[Ticket], error: Exception) -> None:
        """Ends the wait of requests with an error."""
        for ticket in tickets:
            ticket.fail(error)
