"""Every architecture decodes alike by every way of doing it: cached step by step, alone or in a batch, searched or scored."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding import beam_search, greedy
from seq2seq_core.decoding.search import decode
from seq2seq_core.decoding.target_scores import score_targets
from tests.unit.modeling.test_seq2seq import LENGTHS, each_architecture, make_model, make_source

WAYS = {
    "greedy": DecodingOptions(beam_size=1, max_length=6),
    "beam": DecodingOptions(beam_size=3, num_hypotheses=2, max_length=6),
    "sampling": DecodingOptions(method="sampling", num_hypotheses=3, seed=5, max_length=6),
}


@pytest.mark.parametrize("way", WAYS)
@each_architecture
@torch.no_grad()
def test_a_sentence_is_decoded_alike_alone_and_in_a_batch_and_its_score_is_that_of_the_pair(
    settings: dict[str, Any], way: str
) -> None:
    model, source = make_model(**settings).double(), make_source()
    together = decode(model, source, WAYS[way])
    for row, length in enumerate(LENGTHS):
        alone = Source(source.values[row : row + 1, :length], source.lengths_B[row : row + 1])
        (found,) = decode(model, alone, WAYS[way])
        assert [hypothesis.ids for hypothesis in found] == [hypothesis.ids for hypothesis in together[row]]
        for hypothesis in found:
            (scored,) = score_targets(model, alone, [hypothesis.ids])
            assert hypothesis.log_probability == pytest.approx(scored.log_probability, abs=1e-4)


@each_architecture
@torch.no_grad()
def test_a_beam_of_one_is_greedy_decoding(settings: dict[str, Any]) -> None:
    model, source, options = make_model(**settings).double(), make_source(), DecodingOptions(beam_size=1, max_length=6)
    assert [[one.ids for one in row] for row in beam_search.decode(model, source, options)] == [
        [one.ids for one in row] for row in greedy.decode(model, source, options)
    ]
