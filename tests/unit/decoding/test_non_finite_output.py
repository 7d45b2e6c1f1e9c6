from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding import beam_search, greedy
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.search import decode
from seq2seq_core.errors import NonFiniteOutput
from seq2seq_core.modeling.layers.embedding import TokenEmbedding

SOURCES = [[4, 5, 4, 3], [5, 3], [4, 4, 5, 3]]
WAYS = {
    "greedy": DecodingOptions(beam_size=1, max_length=6),
    "beam": DecodingOptions(beam_size=3, max_length=6),
    "sampling": DecodingOptions(method="sampling", num_hypotheses=3, max_length=6),
}
each_way = pytest.mark.parametrize("way", WAYS)
MakeModel = Callable[..., Any]


def with_logits(make_table_model: MakeModel, change: Callable[[list[int], list[int], Any], None]) -> Any:
    """A model whose logits are changed in place, given source and prefix."""
    model = make_table_model(7)
    logits = model.logits

    def changed(source: list[int], prefix: list[int]) -> Any:
        found = logits(source, prefix).copy()
        change(source, prefix, found)
        return found

    model.logits = changed
    return model


@each_way
@pytest.mark.parametrize("symbol", [0, 3, 5])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_an_error_that_names_the_source(
    make_table_model: MakeModel, way: str, symbol: int, number: float
) -> None:
    def damage(source: list[int], prefix: list[int], logits: Any) -> None:
        if source == SOURCES[2] and len(prefix) == 2:
            logits[[3, symbol]] = -50.0, number  # nothing ends before

    model = with_logits(make_table_model, damage)
    with pytest.raises(
        NonFiniteOutput, match=r"^source 3: the model's scores of the next symbol must be finite, got NaN"
    ) as caught:
        decode(model, collate_sources(SOURCES), WAYS[way].override(min_length=2))
    assert caught.value.place == 2


@each_way
def test_a_source_without_any_possible_symbol_is_an_error(make_table_model: MakeModel, way: str) -> None:
    def damage(source: list[int], prefix: list[int], logits: Any) -> None:
        if source == SOURCES[1]:
            logits[:] = -np.inf

    with pytest.raises(NonFiniteOutput, match="source 2"):
        decode(with_logits(make_table_model, damage), collate_sources(SOURCES), WAYS[way])


@each_way
def test_a_forced_symbol_of_probability_zero_is_an_error(make_table_model: MakeModel, way: str) -> None:
    def damage(source: list[int], prefix: list[int], logits: Any) -> None:
        logits[4] = -np.inf if source == SOURCES[1] else logits[4]

    with pytest.raises(NonFiniteOutput, match="source 2"):
        decode(with_logits(make_table_model, damage), collate_sources(SOURCES), WAYS[way], prefixes=[[4], [4], [5]])


@each_way
def test_minus_infinity_is_a_symbol_of_probability_zero(make_table_model: MakeModel, way: str) -> None:
    def forbid(source: list[int], prefix: list[int], logits: Any) -> None:
        logits[4] = -np.inf

    found = decode(with_logits(make_table_model, forbid), collate_sources(SOURCES), WAYS[way].override(min_length=2))
    assert {symbol for own in found for one in own for symbol in one.ids} <= {1, 5, 6}


@pytest.mark.parametrize("decoder", [beam_search.decode, greedy.decode])
def test_numbers_of_a_finished_source_do_not_count(make_table_model: MakeModel, decoder: Any) -> None:
    """A sentence that is done may stay in the batch for a while: it has ended all the same."""

    def end_first(source: list[int], prefix: list[int], logits: Any) -> None:
        logits[3] = 30.0 if source == SOURCES[1] or len(prefix) > 6 else -30.0

    sources = [SOURCES[0]] * 40 + [SOURCES[1]]
    found = decoder(with_logits(make_table_model, end_first), collate_sources(sources), DecodingOptions(beam_size=2))
    assert [len(own[0].ids) for own in found] == [6] * 40 + [0]


def test_a_bundle_with_nan_weights_names_the_source_in_the_request(bundle_folder: Any) -> None:
    predictor = Predictor(load_bundle(bundle_folder))
    tokenizer, embedding = predictor.bundle.source_tokenizer, predictor.bundle.model.source_embedding
    assert tokenizer is not None
    assert isinstance(embedding, TokenEmbedding)
    ((*_, id_of_p),) = tokenizer.encode(["p"])
    with torch.no_grad():
        embedding.table.weight[id_of_p] = torch.nan
    assert len(predictor.predict(["a", "bcd", "ef"])) == 3
    with pytest.raises(NonFiniteOutput, match="source 3"):
        predictor.predict(["a", "bcdefgh", "p", "ef"])
