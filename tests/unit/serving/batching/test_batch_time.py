from __future__ import annotations

import pytest

from seq2seq_core.serving.batching.batch_time import FIRST_WORK, GROWTH, BatchTime


def learned(*batches: tuple[int, float]) -> BatchTime:
    time = BatchTime()
    for work, seconds in batches:
        time.add(work, seconds)
    return time


LINE = [(work, 0.04 + 0.001 * work) for work in (10, 100, 400, 50, 4000)]


def test_the_line_is_found() -> None:
    time = learned(*LINE)
    assert [time.slope, time.base] == pytest.approx([0.001, 0.04])
    assert time.most_work(0.54) == pytest.approx(500)


def test_new_batches_outweigh_old_ones() -> None:
    time = learned(*LINE, *[(work, 0.4 + 0.002 * work) for work in (10, 200, 30, 4000)] * 20)
    assert [time.slope, time.base] == pytest.approx([0.002, 0.4], rel=0.01)


def test_a_batch_is_no_leap_beyond_what_is_known() -> None:
    assert BatchTime().most_work(1.0) == GROWTH * FIRST_WORK
    assert learned((5000, 0.1), (5000, 0.1)).most_work(1e9) == GROWTH * 5000


def send(time: BatchTime, gap: float) -> BatchTime:
    for number in range(100):
        time.add_arrival(100 + number * gap)
    return time


def test_waiting_for_others_pays_only_in_dense_traffic() -> None:
    dense, sparse = send(learned(*LINE), 0.005), send(learned(*LINE), 0.2)
    assert dense.pause(1, 10, 0.0) == pytest.approx(2 * dense.gap, rel=0.01)
    assert dense.pause(100, 1, 0.0) == 0.0  # a hundred would wait for one
    assert dense.pause(1, 10, 0.05) == 0.0  # for longer than a batch of its own takes
    assert sparse.pause(1, 10, 0.0) == 0.0
    assert send(BatchTime(), 0.001).pause(1, 10, 0.0) == 0.0  # nothing is known yet


def test_clients_who_come_back_together_are_waited_for() -> None:
    time, now = learned(*LINE), 100.0
    for _ in range(10):
        for _ in range(16):
            now += 0.003
            time.add_arrival(now)
        now += 0.3
    assert time.pause(16, 10, 0.0) == pytest.approx(2 * time.gap)
    assert 0.003 <= time.gap < 0.01  # the mean gap of all is 22 ms
