"""Decoding by attention and CTC together, against the sum over all alignments."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source, collate_sources
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection
from seq2seq_core.decoding.ctc_model import BLANK_ID, CtcModel
from seq2seq_core.decoding.search import decode
from seq2seq_core.modeling.memory import StepOutput
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID, UNK_ID

V, TAG = 7, 6
LETTERS = [UNK_ID, 4, 5]


@pytest.fixture
def model(fresh_seed: int) -> Seq2Seq:
    torch.manual_seed(fresh_seed)
    built = build_model(ModelSection.model_validate({"width": 8, "dropout": 0.0, "ctc": True}), V, V, joint=False).eval()
    assert built.ctc is not None
    torch.nn.init.normal_(built.ctc.weight, std=1.5)
    built.silent_ids = (TAG,)
    return built


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != BLANK_ID)


def probability_of_targets(probability_SV: Tensor) -> dict[tuple[int, ...], float]:
    """The probability of each target by the encoder alone."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(V), repeat=len(probability_SV)):
        target = collapse(path)
        own = math.prod(float(probability_SV[step, symbol]) for step, symbol in enumerate(path))
        found[target] = found.get(target, 0.0) + own
    return found


def test_the_next_symbol_has_its_share_of_all_targets_that_begin_so(model: Seq2Seq) -> None:
    source: Source = collate_sources([[5, 4, 5, EOS_ID], [4, EOS_ID]])
    joint = CtcModel(model, 1.0)
    with torch.no_grad():
        memory = joint.encode(source)
        probabilities_BSV = model.ctc_logits(memory).softmax(dim=-1)
        by_target = [probability_of_targets(probabilities_BSV[0]), probability_of_targets(probabilities_BSV[1, :2])]
        state: Any = joint.initial_state(memory)
        previous_N, prefixes = torch.tensor([BOS_ID, BOS_ID]), list[tuple[int, ...]]([(), ()])
        for chosen in ((TAG, TAG), (5, 4), (5, 5), (LETTERS[0], EOS_ID)):
            step = joint.step(previous_N, state)
            for row, prefix in enumerate(prefixes):
                whole = sum(value for target, value in by_target[row].items() if target[: len(prefix)] == prefix)
                if previous_N[row] == EOS_ID or whole < 1e-9:
                    continue
                for symbol in LETTERS:
                    longer = (*prefix, symbol)
                    share = sum(value for target, value in by_target[row].items() if target[: len(longer)] == longer) / whole
                    assert step.logits_NV[row, symbol].exp().item() == pytest.approx(share, rel=1e-3, abs=1e-6)
                end = by_target[row].get(prefix, 0.0) / whole
                assert step.logits_NV[row, EOS_ID].exp().item() == pytest.approx(end, rel=1e-3, abs=1e-6)
            state, previous_N = step.state, torch.tensor(chosen)
            prefixes = [
                (*prefix, symbol) if symbol not in (TAG, EOS_ID) else prefix
                for prefix, symbol in zip(prefixes, chosen, strict=True)
            ]


def test_a_search_finds_what_both_find_likeliest(model: Seq2Seq, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where symbols that no target shows have no share: what they have is missing in that of the others."""
    step = model.step

    def without_silent_symbols(*arguments: Any) -> StepOutput:
        taken = step(*arguments)
        return replace(taken, logits_NV=taken.logits_NV.index_fill(1, torch.tensor([PAD_ID, BOS_ID, TAG]), -1e9))

    monkeypatch.setattr(model, "step", without_silent_symbols)
    assert model.ctc is not None
    with torch.no_grad():
        model.ctc.bias[[BOS_ID, EOS_ID, TAG]] = -1e9
    rows = [[5, 4, 5, 4, EOS_ID], [4, 5, EOS_ID]]
    options = DecodingOptions(beam_size=60, max_length=4, length_penalty=0.0, ctc_weight=1.0)
    found = decode(model, collate_sources(rows), options)
    for row, hypotheses in zip(rows, found, strict=True):
        with torch.no_grad():
            probability_SV = model.ctc_logits(model.encode(collate_sources([row])))[0].softmax(dim=-1)
        by_target = {target: value for target, value in probability_of_targets(probability_SV).items() if TAG not in target}
        best = max((target for target in by_target if set(target) <= set(LETTERS)), key=lambda target: by_target[target])
        assert hypotheses[0].ids == best
    alone = decode(model, collate_sources(rows[1:]), options)[0][0]
    assert alone.ids == found[1][0].ids
    assert alone.score == pytest.approx(found[1][0].score, abs=1e-4)


def test_a_weight_of_zero_is_the_model_itself(model: Seq2Seq) -> None:
    source = collate_sources([[5, 4, 5, 4, EOS_ID]])  # five steps show any three symbols; what they cannot show has no weight
    options = DecodingOptions(beam_size=2, max_length=2)
    plain, joint = (decode(model, source, options.model_copy(update={"ctc_weight": weight}))[0][0] for weight in (0.0, 1e-9))
    assert plain.ids == joint.ids
    assert plain.score == pytest.approx(joint.score, abs=1e-4)
