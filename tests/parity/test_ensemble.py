"""An ensemble decodes as the average of its members written out: by every search, with attention, and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.search import decode
from seq2seq_core.decoding.target_scores import score_targets
from seq2seq_core.modeling.ensemble import Ensemble
from seq2seq_core.modeling.seq2seq import Seq2Seq
from tests.unit.modeling.test_seq2seq import LENGTHS, V_TARGET, make_model, make_source

WAYS = {
    "greedy": DecodingOptions(beam_size=1, max_length=5),
    "beam": DecodingOptions(beam_size=3, num_hypotheses=2, max_length=5),
    "diverse": DecodingOptions(beam_size=4, diversity_groups=2, num_hypotheses=2, max_length=5),
    "sampling": DecodingOptions(method="sampling", num_hypotheses=3, seed=5, max_length=5),
    "nucleus": DecodingOptions(method="sampling", num_hypotheses=2, seed=6, top_p=0.7, temperature=1.3, max_length=5),
}
KINDS: list[dict[str, Any]] = [
    {"architecture": "gru", "attention": "additive"},
    {"architecture": "transformer"},
    {"architecture": "lstm", "pointer_generator": True},
]


@dataclass(frozen=True)
class WrittenOutState:
    sentences: list[int]
    prefixes: list[list[int]]

    def select(self, rows_N: Tensor, sentences_B: Tensor | None = None) -> WrittenOutState:
        rows = rows_N.tolist()
        return WrittenOutState([self.sentences[row] for row in rows], [self.prefixes[row] for row in rows])


@dataclass(frozen=True)
class WrittenOutStep:
    logits_NV: Tensor
    state: WrittenOutState
    attention_NS: None = None


class WrittenOutAverage:
    """p(symbol) is in proportion to the product of the members' probabilities to the power 1 / K, each row from its beginning."""

    training = False

    def __init__(self, members: Sequence[Seq2Seq]) -> None:
        self.members = members

    def encode(self, source: Source) -> Source:
        self.source = source
        return source

    def initial_state(self, memory: Source, keep_attention: bool = True) -> WrittenOutState:
        return WrittenOutState(list(range(memory.num_rows)), [[] for _ in range(memory.num_rows)])

    def step(self, previous_ids_N: Tensor, state: WrittenOutState) -> WrittenOutStep:
        prefixes = [[*prefix, symbol] for prefix, symbol in zip(state.prefixes, previous_ids_N.tolist(), strict=True)]
        logits = [self.probabilities(row, prefix).log() for row, prefix in zip(state.sentences, prefixes, strict=True)]
        return WrittenOutStep(torch.stack(logits), WrittenOutState(state.sentences, prefixes))

    def probabilities(self, row: int, prefix: list[int]) -> Tensor:
        alone = Source(self.source.values[row : row + 1, : LENGTHS[row]], self.source.lengths_B[row : row + 1])
        product_V = torch.ones(V_TARGET, dtype=torch.float64)
        for member in self.members:
            product_V *= member(alone, torch.tensor([prefix]))[0, -1].double().softmax(dim=-1) ** (1 / len(self.members))
        return product_V / product_V.sum()


def make_members(number: int, **settings: Any) -> list[Seq2Seq]:
    return [make_model(**settings).double() for _ in range(number)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: str(settings["architecture"]))
@torch.no_grad()
def test_every_search_decodes_with_the_average_of_the_members(settings: dict[str, Any], way: str) -> None:
    members, source = make_members(3, **settings), make_source()
    ensemble = Ensemble(members).eval()
    found, expected = (decode(model, source, WAYS[way]) for model in (ensemble, WrittenOutAverage(members)))
    for own, other in zip(found, expected, strict=True):
        assert [one.ids for one in own] == [one.ids for one in other]
        assert [one.log_probability for one in own] == pytest.approx([one.log_probability for one in other], abs=1e-5)


@torch.no_grad()
def test_a_hypothesis_has_the_score_of_its_pair_and_the_mean_of_the_attentions() -> None:
    members, source = make_members(2, architecture="gru", attention="general"), make_source()
    ensemble = Ensemble(members).eval()
    found = [row[0] for row in decode(ensemble, source, WAYS["beam"], keep_attention=True)]
    scored = score_targets(ensemble, source, [one.ids for one in found])
    for row, (one, pair) in enumerate(zip(found, scored, strict=True)):
        assert one.log_probability == pytest.approx(pair.log_probability, abs=1e-5)
        target_in = torch.tensor([[2, *one.ids]])
        alone = Source(source.values[row : row + 1, : LENGTHS[row]], source.lengths_B[row : row + 1])
        attentions = [member.teacher_forced(alone, target_in).attention_BTS for member in members]
        assert one.attention_TS is not None
        assert torch.allclose(
            one.attention_TS.double(), torch.stack([own[0] for own in attentions if own is not None]).mean(dim=0), atol=1e-6
        )
