"""A hypothesis that the limit of its length ended says so, by every search."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding import search

EOS, LIMIT = 3, 4
SOURCES = [[4, 5, 4, 3], [5, 3], [4, 4, 5, 5, 4, 3], [5, 4, 3]]
SEARCHES: dict[str, dict[str, Any]] = {
    "greedy": {"beam_size": 1},
    "beam": {"beam_size": 4, "num_hypotheses": 4},
    "sampling": {"method": "sampling", "num_hypotheses": 6, "seed": 1},
}
Model = Any


def end_probability(model: Model, source: list[int], ids: tuple[int, ...]) -> float:
    logits = model.logits(source, [2, *ids])
    return math.exp(float(logits[EOS])) / float(np.exp(logits).sum())


@pytest.mark.parametrize("name", SEARCHES)
def test_a_hypothesis_is_cut_where_it_would_rather_go_on_at_the_limit(make_table_model: Callable[..., Model], name: str) -> None:
    model = make_table_model(6, scale=2.0)
    options = DecodingOptions.model_validate(SEARCHES[name] | {"max_length": LIMIT})
    for source, found in zip(SOURCES, search.decode(model, collate_sources(SOURCES), options), strict=True):
        for one in found:
            assert one.is_cut == (len(one.ids) == LIMIT and end_probability(model, source, one.ids) < 0.5)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize(("length", "is_cut"), [(LIMIT - 1, False), (LIMIT, False), (LIMIT + 1, True)])
def test_a_text_that_ends_by_itself_at_the_limit_is_whole(
    make_table_model: Callable[..., Model], name: str, length: int, is_cut: bool
) -> None:
    model = make_table_model(6)

    def logits(source: list[int], prefix: list[int]) -> Any:
        return np.array([0.0, 0, 0, 30.0 if len(prefix) > length else -30.0, 15.0, 0])

    model.logits = logits
    options = DecodingOptions.model_validate(SEARCHES[name] | {"max_length": LIMIT})
    for found in search.decode(model, collate_sources(SOURCES), options):
        assert (found[0].ids, found[0].is_cut) == ((4,) * min(length, LIMIT), is_cut)
