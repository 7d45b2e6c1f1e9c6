from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from seq2seq_core.batching.part import PAIRS, Part
from seq2seq_core.training.data.update_plan import PlannedBatch
from seq2seq_core.training.distributed.shares import share_out, whole_pieces

NOISY = Part("denoising", "en")


def plan(*sizes: int, part: Part = PAIRS, first: int = 0) -> list[PlannedBatch]:
    edges = np.cumsum([first, *sizes]).tolist()
    return [PlannedBatch(part, np.arange(begin, end)) for begin, end in pairwise(edges)]


def rows(batches: list[PlannedBatch], number: int) -> list[list[list[int]]]:
    return [[piece.batch.indices.tolist() for piece in share_out(batches, rank, number)] for rank in range(number)]


def test_twice_as_many_batches_as_ranks_are_two_whole_ones_for_each() -> None:
    assert rows(plan(2, 1, 3, 1), 2) == [[[0, 1], [2]], [[3, 4, 5], [6]]]


def test_a_single_batch_is_split_by_rows() -> None:
    assert rows(plan(8), 4) == [[[0, 1]], [[2, 3]], [[4, 5]], [[6, 7]]]


def test_three_batches_for_two_ranks_are_one_and_a_half_for_each() -> None:
    assert rows(plan(2, 4, 2), 2) == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


def test_a_rank_without_rows_computes_nothing() -> None:
    assert rows(plan(1), 3) == [[], [], [[0]]]


def test_each_part_is_shared_out_by_itself() -> None:
    batches = plan(4) + plan(2, part=NOISY, first=10)
    assert rows(batches, 2) == [[[0, 1], [10]], [[2, 3], [11]]]
    assert [piece.batch.part for piece in share_out(batches, 0, 2)] == [PAIRS, NOISY]


def test_a_whole_batch_has_the_key_that_it_has_in_a_single_process() -> None:
    batches = plan(2, 4, 2)
    assert [piece.key for piece in whole_pieces(batches)] == [(0,), (1,), (2,)]
    assert [piece.key for rank in (0, 1) for piece in share_out(batches, rank, 2)] == [(0,), (1, 0), (1, 2), (2,)]


@pytest.mark.parametrize("number", [1, 2, 3, 5, 8, 13])
def test_every_row_is_computed_once_and_no_two_pieces_have_the_same_key(number: int) -> None:
    chance = random.Random(number)
    for _ in range(50):
        batches = plan(*(chance.randint(1, 9) for _ in range(chance.randint(1, 7)))) + plan(3, 3, part=NOISY, first=100)
        pieces = [piece for rank in range(number) for piece in share_out(batches, rank, number)]
        computed = [row for piece in pieces for row in piece.batch.indices]
        assert sorted(computed) == sorted(row for batch in batches for row in batch.indices)
        assert len({piece.key for piece in pieces}) == len(pieces)


def test_ranks_get_about_as_many_rows() -> None:
    for number in (2, 3, 4, 7):
        counts = [sum(len(batch) for batch in own) for own in rows(plan(*[60] * 5), number)]
        assert max(counts) - min(counts) <= 1
