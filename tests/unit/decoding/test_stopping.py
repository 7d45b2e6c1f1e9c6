from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.search import decode
from seq2seq_core.errors import DecodingStopped

SOURCES = [[4, 5, 4, 3], [5, 3]]
WAYS = {
    "greedy": DecodingOptions(beam_size=1, max_length=30, min_length=30),
    "beam": DecodingOptions(beam_size=3, max_length=30, min_length=30),
    "sampling": DecodingOptions(method="sampling", num_hypotheses=3, max_length=30, min_length=30),
}
each_way = pytest.mark.parametrize("way", WAYS)


@each_way
@pytest.mark.parametrize("num_steps", [0, 1, 4])
def test_a_search_ends_at_the_step_at_which_it_is_asked_to(make_table_model: Callable[..., Any], way: str, num_steps: int) -> None:
    model = make_table_model(7)
    with pytest.raises(DecodingStopped, match="the search was stopped before its hypotheses were complete"):
        decode(model, collate_sources(SOURCES), WAYS[way], stop=lambda: len(model.rows_asked) == num_steps)
    assert len(model.rows_asked) == num_steps


@each_way
def test_sources_are_not_encoded_when_it_is_too_late(make_table_model: Callable[..., Any], way: str) -> None:
    model = make_table_model(7)
    model.encode = None
    with pytest.raises(DecodingStopped):
        decode(model, collate_sources(SOURCES), WAYS[way], stop=lambda: True)


@each_way
def test_a_search_that_nobody_stops_is_asked_before_each_step(make_table_model: Callable[..., Any], way: str) -> None:
    model, answers = make_table_model(7), iter([False] * 1000)
    found = decode(model, collate_sources(SOURCES), WAYS[way], stop=lambda: next(answers))
    num_asked = 1000 - len(list(answers))
    assert num_asked == len(model.rows_asked) + 1  # and once before the sources are encoded
    assert found == decode(model, collate_sources(SOURCES), WAYS[way])
