from __future__ import annotations

import random

import pytest

from seq2seq_core.decoding.row_layout import RowLayout, regroup


def test_hypotheses_that_share_a_row_get_one_each() -> None:
    layout = RowLayout([0, 0, 0, 1, 1, 1], width=1, num_rows=2)
    assert layout.is_shared
    move = regroup(layout, [7, 7, 7, 8, 8, 8])
    assert move.layout == RowLayout([0, 1, 2, 3, 4, 5], width=3, num_rows=6)
    assert (move.rows, move.sentences, move.keeps_sentences) == ([0, 0, 0, 1, 1, 1], [0, 1], True)
    assert move.layout.is_plain


@pytest.mark.parametrize(("num_live", "is_idle"), [(32, False), (30, False), (29, True), (1, True)])
def test_a_few_idle_rows_are_left_alone(num_live: int, is_idle: bool) -> None:
    layout = RowLayout(list(range(32)), width=1, num_rows=32).keep(range(num_live))
    assert layout.is_idle == is_idle
    assert layout.is_plain == (num_live == 32)


def test_a_sentence_with_many_hypotheses_is_held_twice_beside_one_with_few() -> None:
    layout = RowLayout(list(range(8)), width=8, num_rows=8)
    assert regroup(layout, [0] * 8).layout.width == 8
    one_has_one = RowLayout([*range(8), 8, 16, 24, 32], width=8, num_rows=40)
    move = regroup(one_has_one, [0] * 8 + [1, 2, 3, 4])
    assert move.layout.num_rows < 5 * 8
    assert move.sentences.count(0) > 1


def test_every_hypothesis_goes_on_from_its_own_row_with_its_own_sentence(fresh_seed: int) -> None:
    chance = random.Random(fresh_seed)
    for _ in range(200):
        num_sentences, width = chance.randint(1, 6), chance.randint(1, 6)
        rows = sorted(chance.sample(range(num_sentences * width), chance.randint(1, num_sentences * width)))
        owners = [row // width for row in rows]
        move = regroup(RowLayout(rows, width, num_sentences * width), owners)
        assert [move.rows[place] for place in move.layout.places] == rows
        assert [move.sentences[place // move.layout.width] for place in move.layout.places] == owners
        # Idle rows too belong to the sentence that they stand with.
        assert [row // width for row in move.rows] == [one for one in move.sentences for _ in range(move.layout.width)]
        assert len(move.rows) == move.layout.num_rows <= num_sentences * width
        assert move.keeps_sentences == (move.sentences == list(range(num_sentences)))
