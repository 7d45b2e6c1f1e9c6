from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.serving.request_limits import RequestLimits
from seq2seq_core.decoding.prediction import Prediction, TextHypothesis
from seq2seq_core.serving.batching import batcher as batcher_module
from seq2seq_core.serving.batching.batcher import Batcher, BatchReport
from seq2seq_core.serving.batching.ticket import Abandoned, Busy, DecoderLost, Expired, Mode, Row, Ticket
from tests.flows.waiting import wait_until

GREEDY, BEAM = Mode(DecodingOptions(beam_size=1)), Mode(DecodingOptions(beam_size=3))


class Upper:
    """Turns sources into capitals, one batch for each time that it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = threading.Semaphore(0)
        self.stopped = 0
        self.closed = False

    def prepare(self) -> None:
        pass

    def decode(self, rows: Sequence[Row], mode: Mode, stop: Callable[[], bool]) -> list[Prediction]:
        texts = [str(row.source) for row in rows]
        self.batches.append(texts)
        while not self.go.acquire(timeout=0.01):
            if stop():
                self.stopped += 1
                return []
        if "lost" in texts:
            raise DecoderLost("died")
        if "bad" in texts:
            raise RuntimeError(f"cannot decode bad of {len(texts)}")
        return [Prediction((TextHypothesis(text.upper(), 0.0, 0.0),)) for text in texts]

    def close(self) -> None:
        self.closed = True


def rows_of(*texts: str) -> list[Row]:
    return [Row(text, {}, len(text)) for text in texts]


def texts_of(ticket: Ticket) -> list[str]:
    return [prediction.text for prediction in ticket.result()]


@pytest.fixture
def decoder() -> Upper:
    return Upper()


@contextmanager
def open_batcher(decoder: Upper, **limits: float) -> Iterator[tuple[Batcher, Callable[[str], Ticket]]]:
    """A batcher, and a function that submits a request of one row and returns when it is being decoded."""
    reports: list[BatchReport] = []
    opened = Batcher([decoder], RequestLimits.model_validate(limits), reports.append)

    def hold(text: str) -> Ticket:
        before = len(decoder.batches)
        ticket = opened.submit(rows_of(text), GREEDY)
        wait_until(lambda: len(decoder.batches) > before, "a batch")
        return ticket

    yield opened, hold
    opened.close()
    assert decoder.closed


def test_requests_that_come_during_a_batch_share_the_next_one(decoder: Upper) -> None:
    with open_batcher(decoder) as (batcher, hold):
        first = hold("a")
        others = [batcher.submit(rows_of(text, text * 2), GREEDY) for text in "bcd"]
        assert batcher.load()[:2] == (6, 1)
        decoder.go.release(2)
        assert [texts_of(one) for one in (first, *others)] == [["A"], ["B", "BB"], ["C", "CC"], ["D", "DD"]]
        assert decoder.batches == [["a"], ["bb", "b", "cc", "c", "dd", "d"]]
        wait_until(lambda: batcher.load()[:2] == (0, 0), "an empty queue")


def test_rows_with_other_options_are_in_another_batch(decoder: Upper) -> None:
    with open_batcher(decoder) as (batcher, hold):
        hold("a")
        tickets = [batcher.submit(rows_of(text), mode) for text, mode in (("b", BEAM), ("c", GREEDY), ("d", BEAM))]
        decoder.go.release(3)
        assert [texts_of(ticket) for ticket in tickets] == [["B"], ["C"], ["D"]]
        assert decoder.batches == [["a"], ["b", "d"], ["c"]]


def test_a_long_request_is_cut_and_lets_a_short_one_pass(decoder: Upper) -> None:
    with open_batcher(decoder, max_batch_rows=2) as (batcher, hold):
        hold("a")
        long = batcher.submit(rows_of("b1", "b2", "b3", "b4", "b5"), GREEDY)
        decoder.go.release()
        wait_until(lambda: len(decoder.batches) == 2, "the first part")
        short = batcher.submit(rows_of("c"), GREEDY)
        decoder.go.release(3)
        assert (texts_of(short), texts_of(long)) == (["C"], ["B1", "B2", "B3", "B4", "B5"])
        assert [len(batch) for batch in decoder.batches] == [1, 2, 2, 2]
        assert "c" in decoder.batches[2]


def test_a_full_queue_refuses_a_request_and_knows_when_it_is_empty(decoder: Upper) -> None:
    with open_batcher(decoder, max_waiting_rows=3) as (batcher, hold):
        hold("a")
        large = batcher.submit(rows_of("b", "c", "d", "e"), GREEDY)  # larger than the queue, but nobody else waits
        large.abandon()
        waiting = batcher.submit(rows_of("b", "c"), GREEDY)
        with pytest.raises(Busy, match=r"^2 rows wait already, at most 3 may; try again later$"):
            batcher.submit(rows_of("d", "e"), GREEDY)
        batcher._time.add(1, 0.02)
        batcher._time.add(3, 0.04)  # a hundredth of a second for each row, and one for the batch
        assert batcher.expected_wait() == pytest.approx(0.03)
        decoder.go.release(2)
        assert texts_of(waiting) == ["B", "C"]
        assert batcher.expected_wait() == 0.0


def test_an_abandoned_request_leaves_the_queue_and_a_batch_that_nobody_waits_for_is_stopped(decoder: Upper) -> None:
    with open_batcher(decoder) as (batcher, hold):
        first = hold("a")
        gone, stays = batcher.submit(rows_of("b"), GREEDY), batcher.submit(rows_of("c"), GREEDY)
        gone.abandon()
        first.abandon()
        wait_until(lambda: decoder.stopped == 1, "the end of the batch")
        decoder.go.release()
        assert texts_of(stays) == ["C"]
        assert decoder.batches == [["a"], ["c"]]
        for ticket in (first, gone):
            with pytest.raises(Abandoned):
                ticket.result()


def test_a_deadline_ends_the_wait_and_the_work(decoder: Upper) -> None:
    with open_batcher(decoder) as (batcher, _):
        with pytest.raises(Expired):
            batcher.submit(rows_of("a"), GREEDY, deadline=0.0).result()
        decoder.go.release()
        assert texts_of(batcher.submit(rows_of("b"), GREEDY)) == ["B"]


def test_a_decoder_that_fails_because_it_was_stopped_at_the_deadline_is_not_at_fault() -> None:
    ticket = Ticket(rows_of("a"), BEAM, time.monotonic())
    ticket.fail(RuntimeError("the search was stopped"))
    with pytest.raises(Expired, match=r"^not finished within the time that a request may take$"):
        ticket.result()


def test_only_the_request_at_fault_gets_the_error_of_a_batch(decoder: Upper) -> None:
    with open_batcher(decoder) as (batcher, hold):
        hold("a")
        good, bad, other = (batcher.submit(rows_of(text), GREEDY) for text in ("b", "bad", "c"))
        decoder.go.release(5)
        assert (texts_of(good), texts_of(other)) == (["B"], ["C"])
        with pytest.raises(RuntimeError, match=r"^cannot decode bad of 1$"):
            bad.result()


def test_a_decoder_that_died_takes_its_batch_along_and_no_more(decoder: Upper) -> None:
    with open_batcher(decoder) as (batcher, hold):
        lost = hold("lost")
        waiting = batcher.submit(rows_of("b"), GREEDY)
        decoder.go.release(2)
        with pytest.raises(DecoderLost, match=r"^died$"):
            lost.result()
        assert texts_of(waiting) == ["B"]


def test_a_closed_batcher_finishes_what_it_has_and_takes_nothing(decoder: Upper) -> None:
    with open_batcher(decoder) as (batcher, hold):
        tickets = [hold("a"), batcher.submit(rows_of("b"), GREEDY)]
        decoder.go.release(2)
        batcher.close(60)
        assert [texts_of(ticket) for ticket in tickets] == [["A"], ["B"]]
        with pytest.raises(Busy):
            batcher.submit(rows_of("c"), GREEDY)


def test_a_batcher_that_nobody_uses_any_more_is_freed(decoder: Upper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher_module, "IDLE_SECONDS", 0.05)
    decoder.go.release(2)
    batcher = Batcher([decoder], RequestLimits())
    for _ in range(2):  # the second request finds no thread
        texts_of(batcher.submit(rows_of("a"), GREEDY))
        wait_until(lambda: not [one for one in threading.enumerate() if one.name == "decoder 0"], "the end of the thread")
    known = weakref.ref(batcher)
    del batcher
    gc.collect()
    assert known() is None


def test_nothing_that_finishes_is_seen(decoder: Upper) -> None:
    with open_batcher(decoder) as (batcher, hold):
        assert batcher.load().stalled_seconds == 0
        ticket = hold("a")
        before = batcher.load().stalled_seconds
        wait_until(lambda: batcher.load().stalled_seconds > before, "a longer time")
        decoder.go.release()
        ticket.result()
        wait_until(lambda: batcher.load().stalled_seconds == 0, "an end of it")
