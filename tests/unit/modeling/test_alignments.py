"""Hard alignments against the sum over all alignments, one by one, and against the formulas of the papers, written out."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.search import decode
from seq2seq_core.modeling.alignments.edits import EditAlignment
from seq2seq_core.modeling.alignments.monotonic import NUM_SHIFTS, MonotonicAlignment
from seq2seq_core.modeling.decoders.alignment_decoder import AlignmentDecoder
from seq2seq_core.modeling.layers.alignment import Alignment
from seq2seq_core.modeling.memory import Memory
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID
from tests.unit.modeling.test_seq2seq import V_TARGET, make_model

MODELS: list[dict[str, Any]] = [
    {"alignment": "monotonic"},
    {"alignment": "monotonic", "alignment_order": 1},
    {"alignment": "edits"},
    {"alignment": "edits", "alignment_copies": True},
]
SOURCE_IDS, TARGET_IDS = [5, 6, 5, 4, EOS_ID], [5, 7, 6, EOS_ID]
each_model = pytest.mark.parametrize("settings", MODELS, ids=str)


def source_of(*rows: list[int]) -> Source:
    lengths_B = torch.tensor([len(row) for row in rows])
    values_BS = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for row, ids in enumerate(rows):
        values_BS[row, : len(ids)] = torch.tensor(ids)
    return Source(values_BS, lengths_B)


class Reader:
    """What a model says of one pair, read from its weights, position by position."""

    def __init__(self, model: Seq2Seq) -> None:
        decoder = model.decoder
        assert isinstance(decoder, AlignmentDecoder)
        self.alignment: Alignment = decoder.alignment
        self.memory: Memory = model.encode(source_of(SOURCE_IDS))
        target_in_1T = torch.tensor([[BOS_ID, *TARGET_IDS[:-1]]])
        self.hidden_TD = decoder.recurrent(model.target_embedding(target_in_1T), self.memory).features_BTD[0]
        self.values_SD = self.memory.values_BSD[0]
        self.weight_VD, self.bias_V = model.output_weights()

    def logits(self, t: int, s: int, half: slice = slice(None)) -> Tensor:
        """O tanh(U h + V m + c) + b."""
        alignment = self.alignment
        assert isinstance(alignment, MonotonicAlignment | EditAlignment)
        features_E = torch.tanh(alignment.hidden_projection(self.hidden_TD[t]) + alignment.memory_projection(self.values_SD[s]))
        return self.weight_VD @ features_E[half] + self.bias_V


def monotonic_likelihood(reader: Reader) -> float:
    """The sum over all alignments that never go back."""
    alignment, total = reader.alignment, 0.0
    assert isinstance(alignment, MonotonicAlignment)
    for path in itertools.combinations_with_replacement(range(len(SOURCE_IDS)), len(TARGET_IDS)):
        product, before = 1.0, 0
        for t, s in enumerate(path):
            weights = []
            for place in range(before, len(SOURCE_IDS)):
                score = float(reader.hidden_TD[t] @ alignment.score_projection.weight @ reader.values_SD[place])
                if alignment.shift_projection is not None:
                    score += float(alignment.shift_projection(reader.hidden_TD[t])[min(place - before, NUM_SHIFTS - 1)])
                weights.append(math.exp(score))
            written = float(torch.softmax(reader.logits(t, s), dim=0)[TARGET_IDS[t]])
            product, before = product * weights[s - before] / sum(weights) * written, s
        total += product
    return total


def edit_likelihood(reader: Reader) -> float:
    """The sum over all sequences of actions, by recursion without memory: each call is one sequence's beginning."""
    alignment, width = reader.alignment, reader.hidden_TD.shape[1]
    assert isinstance(alignment, EditAlignment)
    last = len(SOURCE_IDS) - 1

    def actions(t: int, s: int) -> dict[str, Any]:
        insert_E = torch.tanh(alignment.hidden_projection(reader.hidden_TD[t]) + alignment.memory_projection(reader.values_SD[s]))
        insert_V, replace_V = (reader.logits(t, s, half).exp() for half in (slice(width), slice(width, None)))
        other_A = alignment.actions(insert_E[:width]).exp()
        replace_V[EOS_ID] = 0.0
        if s == last:
            replace_V, other_A = torch.zeros_like(replace_V), torch.zeros_like(other_A)
        else:
            insert_V[EOS_ID] = 0.0
        total = insert_V.sum() + replace_V.sum() + other_A.sum()
        copy = float(other_A[1] / total) if alignment.has_copies else 0.0
        return {"insert": insert_V / total, "replace": replace_V / total, "delete": float(other_A[0] / total), "copy": copy}

    def rest(t: int, s: int) -> float:
        if t == len(TARGET_IDS):
            return 1.0 if s == last else 0.0
        found, symbol = actions(t, s), TARGET_IDS[t]
        total = float(found["insert"][symbol]) * rest(t + 1, s)
        if s < last:
            moved = float(found["replace"][symbol]) + (found["copy"] if SOURCE_IDS[s] == symbol else 0.0)
            total += found["delete"] * rest(t, s + 1) + moved * rest(t + 1, s + 1)
        return total

    return rest(0, 0)


@each_model
@torch.no_grad()
def test_the_likelihood_is_the_sum_over_all_alignments_one_by_one(settings: dict[str, Any]) -> None:
    model = make_model(joint=True, **settings).double()
    target_in_BT = torch.tensor([[BOS_ID, *TARGET_IDS[:-1], 4], [BOS_ID, 4, 4, 4, 4]])
    together_BTV = model(source_of(SOURCE_IDS, [4, EOS_ID]), target_in_BT)  # padded by another pair on both sides
    found = sum(float(together_BTV[0, t, symbol]) for t, symbol in enumerate(TARGET_IDS))
    reader = Reader(model)
    expected = monotonic_likelihood(reader) if settings["alignment"] == "monotonic" else edit_likelihood(reader)
    assert found == pytest.approx(math.log(expected), abs=1e-5)


@each_model
@torch.no_grad()
def test_the_next_symbols_are_a_distribution(settings: dict[str, Any]) -> None:
    model = make_model(joint=True, **settings)
    output = model.teacher_forced(source_of(SOURCE_IDS, [4, EOS_ID], [EOS_ID]), torch.randint(4, V_TARGET, (3, 6)))
    assert output.memory is not None, "further losses read it"
    assert torch.allclose(output.logits_BTV.exp().sum(dim=-1), torch.ones(3, 6), atol=1e-5)


@each_model
def test_gradients_are_those_of_finite_differences(settings: dict[str, Any]) -> None:
    model = make_model(joint=True, **settings)
    target_in_BT = torch.tensor([[BOS_ID, *TARGET_IDS[:-1]], [BOS_ID, 4, 0, 0]])

    def loss() -> Tensor:
        """Of the whole target of the first row, and of one symbol of the second."""
        log_probabilities_BTV = model(source_of(SOURCE_IDS, [4, EOS_ID]), target_in_BT)
        taken: Tensor = log_probabilities_BTV[0, torch.arange(4), torch.tensor(TARGET_IDS)].sum() + log_probabilities_BTV[1, 1, 5]
        return taken

    loss().backward()  # type: ignore[no-untyped-call]
    assert isinstance(model.decoder, AlignmentDecoder)
    for name, weight in model.decoder.alignment.named_parameters():
        assert weight.grad is not None
        place, ends = int(weight.grad.abs().argmax()), []
        for move in (0.02, -0.04):
            with torch.no_grad():
                weight.view(-1)[place] += move
                ends.append(float(loss()))
        assert (ends[0] - ends[1]) / 0.04 == pytest.approx(float(weight.grad.view(-1)[place]), rel=0.02, abs=1e-3), name
        with torch.no_grad():
            weight.view(-1)[place] += 0.02


@each_model
@torch.no_grad()
def test_beam_search_finds_the_likeliest_targets_of_all(settings: dict[str, Any]) -> None:
    model = make_model(joint=True, **settings)
    for weight in model.parameters():
        weight.mul_(2.0)  # far from uniform
    source = source_of(SOURCE_IDS, [4, 9, EOS_ID])
    options = DecodingOptions(beam_size=V_TARGET**2, num_hypotheses=3, length_penalty=0.0, max_length=2)
    symbols = [id_ for id_ in range(V_TARGET) if id_ not in (0, BOS_ID, EOS_ID)]
    every = [target for length in range(3) for target in itertools.product(symbols, repeat=length)]
    for row, found in enumerate(decode(model, source, options)):
        alone = Source(source.values[row : row + 1, : source.lengths_B[row]], source.lengths_B[row : row + 1])
        totals = {}
        for target in every:
            logits_TV = model(alone, torch.tensor([[BOS_ID, *target]]))[0]
            totals[target] = sum(float(logits_TV[t, symbol]) for t, symbol in enumerate((*target, EOS_ID)))
        for one in found:
            assert one.log_probability == pytest.approx(totals[one.ids], abs=1e-3)
        best = sorted(totals.values(), reverse=True)[: len(found)]
        assert [one.log_probability for one in found] == pytest.approx(best, abs=1e-3)


@torch.no_grad()
def test_a_copy_writes_the_symbol_of_its_position() -> None:
    model = make_model(joint=True, alignment="edits", alignment_copies=True)
    assert isinstance(model.decoder, AlignmentDecoder)
    assert isinstance(model.decoder.alignment, EditAlignment)
    model.decoder.alignment.actions.weight.zero_()
    model.decoder.alignment.actions.bias.copy_(torch.tensor([-50.0, 50.0]))
    probabilities_TV = model(source_of(SOURCE_IDS), torch.tensor([[BOS_ID, *SOURCE_IDS[:-1]]]))[0].exp()
    assert torch.allclose(probabilities_TV[torch.arange(4), torch.tensor(SOURCE_IDS[:-1])], torch.ones(4), atol=1e-4)
    hypothesis = decode(model, source_of(SOURCE_IDS), DecodingOptions(beam_size=1), keep_attention=True)[0][0]
    assert hypothesis.ids[:4] == tuple(SOURCE_IDS[:-1])
    assert hypothesis.attention_TS is not None
    assert torch.allclose(hypothesis.attention_TS[:4], torch.eye(4, 5), atol=1e-4)
