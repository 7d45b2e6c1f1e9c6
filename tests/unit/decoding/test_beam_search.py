from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding import beam_search, greedy
from tests.unit.decoding.ranking import ScoredIds, assert_best

EOS = 3
SYMBOLS = (1, 4, 5)
SOURCES = [[4, 5, 4, 3], [5, 3], [4, 4, 5, 5, 4, 3], [5, 4, 3]]
Model = Any
MakeModel = Callable[..., Model]


def score_all(model: Model, source: list[int], longest: int, exponent: float) -> list[ScoredIds]:
    """Every sequence of at most ``longest`` symbols with its score."""
    sequences = (ids for length in range(longest + 1) for ids in itertools.product(SYMBOLS, repeat=length))
    return [(model.log_probability(source, ids) / ((5 + len(ids) + 1) / 6) ** exponent, ids) for ids in sequences]


@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0, 2.5])
def test_a_beam_that_holds_everything_is_exhaustive_search(make_table_model: MakeModel, exponent: float) -> None:
    model = make_table_model(6)
    options = DecodingOptions(beam_size=64, num_hypotheses=10, length_penalty=exponent, max_length=3)
    for source, found in zip(SOURCES, beam_search.decode(model, collate_sources(SOURCES), options), strict=True):
        assert_best(found, score_all(model, source, 3, exponent), 10)


@pytest.mark.parametrize("beam_size", [1, 2, 3, 5])
def test_stopping_early_changes_nothing(make_table_model: MakeModel, beam_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_table_model(8, scale=2.0)
    num_hypotheses = (beam_size + 1) // 2
    options = DecodingOptions(beam_size=beam_size, num_hypotheses=num_hypotheses, max_length=12)
    found = beam_search.decode(model, collate_sources(SOURCES), options)
    num_steps = len(model.rows_asked)

    def is_done(search: Any, sentence: int, best_total: float) -> bool:
        """Without the bound on what can still be reached."""
        scores = sorted((hypothesis.score for hypothesis in search.finished[sentence]), reverse=True)
        present_score = best_total / ((5 + search.ids_NT.shape[1]) / 6)
        return best_total == -math.inf or (len(scores) >= beam_size and present_score <= scores[num_hypotheses - 1])

    monkeypatch.setattr(beam_search.BeamSearch, "_is_done", is_done)
    model.rows_asked.clear()
    assert found == beam_search.decode(model, collate_sources(SOURCES), options)
    assert num_steps <= len(model.rows_asked)


def test_the_search_stops_before_the_limit_when_nothing_can_improve(make_table_model: MakeModel) -> None:
    model = make_table_model(6)

    def logits(source: list[int], prefix: list[int]) -> Any:
        return np.array([0.0, 0, 0, 20.0 if len(prefix) > 2 else -20.0, 8.0, 0])

    model.logits = logits
    (found,) = beam_search.decode(
        model, collate_sources([[4, 3]]), DecodingOptions(beam_size=4, max_length=500, length_penalty=0.0)
    )
    assert found[0].ids == (4, 4)
    assert len(model.rows_asked) < 5


@pytest.mark.parametrize("beam_size", [2, 3, 4, 5])
def test_ends_that_come_too_early_do_not_crowd_out_the_good_hypothesis(make_table_model: MakeModel, beam_size: int) -> None:
    model = make_table_model(6)

    def logits(source: list[int], prefix: list[int]) -> Any:
        """Nearly certain of nine symbols and then the end, but with the end always in second place."""
        return np.array([-9.0, -9, -9, 5.0, 0.0, -9]) if len(prefix) > 9 else np.array([-9.0, -9, -9, 0.0, 5.0, -0.1])

    model.logits = logits
    (found,) = beam_search.decode(model, collate_sources([[4, 3]]), DecodingOptions(beam_size=beam_size))
    assert found[0].ids == (4,) * 9


def test_a_live_hypothesis_that_can_still_win_is_waited_for(make_table_model: MakeModel) -> None:
    model = make_table_model(6)

    def logits(source: list[int], prefix: list[int]) -> Any:
        if len(prefix) == 1:  # the end is likeliest at once, but after symbol 4 all that follows is nearly certain
            return np.array([0, 0, 0, 2.0, 1.9, 0])
        return np.array([0, 0, 0, 0, 30.0, 0] if len(prefix) < 9 else [0, 0, 0, 30.0, 0, 0])

    model.logits = logits
    options = DecodingOptions(beam_size=2, max_length=20, length_penalty=1.0)
    (found,) = beam_search.decode(model, collate_sources([[4, 3]]), options)
    assert found[0].ids == (4,) * 8
    (found,) = beam_search.decode(model, collate_sources([[4, 3]]), options.model_copy(update={"length_penalty": 0.0}))
    assert found[0].ids == ()


def test_a_beam_of_one_is_greedy_decoding(make_table_model: MakeModel, fresh_seed: int) -> None:
    model, chance = make_table_model(9, scale=2.0), random.Random(fresh_seed)
    sources = [[chance.randrange(4, 9) for _ in range(chance.randrange(1, 9))] + [EOS] for _ in range(40)]
    options = DecodingOptions(beam_size=1, max_length_offset=3)
    by_beam = beam_search.decode(model, collate_sources(sources), options)
    by_greedy = greedy.decode(model, collate_sources(sources), options)
    for one, other in zip(by_beam, by_greedy, strict=True):
        assert [hypothesis.ids for hypothesis in one] == [hypothesis.ids for hypothesis in other]
        assert one[0].score == pytest.approx(other[0].score, abs=1e-5)
        assert one[0].log_probability == pytest.approx(other[0].log_probability, abs=1e-5)


@pytest.mark.parametrize("decode", [beam_search.decode, greedy.decode])
def test_a_sentence_gets_the_same_hypotheses_alone_and_in_a_batch(make_table_model: MakeModel, decode: Any) -> None:
    model = make_table_model(9, scale=2.0)
    options = DecodingOptions(beam_size=3, num_hypotheses=3, max_length_offset=5)
    together = decode(model, collate_sources(SOURCES), options)
    assert together == [decode(model, collate_sources([source]), options)[0] for source in SOURCES]


@pytest.mark.parametrize("decode", [beam_search.decode, greedy.decode])
def test_pad_and_bos_are_never_generated_and_the_length_limit_holds(make_table_model: MakeModel, decode: Any) -> None:
    model = make_table_model(6)
    model.logits = lambda source, prefix: np.array([50.0, 0, 50.0, -30.0, 1.0, 0])
    for limit in (1, 2, 7):
        for found in decode(model, collate_sources(SOURCES), DecodingOptions(beam_size=4, num_hypotheses=4, max_length=limit)):
            assert all(len(hypothesis.ids) <= limit for hypothesis in found)
            assert {symbol for hypothesis in found for symbol in hypothesis.ids} <= {1, 4, 5}
    ratio = DecodingOptions(beam_size=2, max_length_ratio=1.5, max_length_offset=1)
    lengths = [len(found[0].ids) for found in decode(model, collate_sources(SOURCES), ratio)]
    assert lengths == [int(1.5 * len(source)) + 1 for source in SOURCES]


@pytest.mark.parametrize("decode", [beam_search.decode, greedy.decode])
def test_scores_are_the_models_own(make_table_model: MakeModel, decode: Any) -> None:
    model = make_table_model(8)
    options = DecodingOptions(beam_size=4, num_hypotheses=4, max_length=6, length_penalty=0.8)
    for source, found in zip(SOURCES, decode(model, collate_sources(SOURCES), options), strict=True):
        assert [hypothesis.score for hypothesis in found] == sorted((hypothesis.score for hypothesis in found), reverse=True)
        for hypothesis in found:
            assert hypothesis.log_probability == pytest.approx(model.log_probability(source, hypothesis.ids), abs=1e-4)
            penalty = ((6 + len(hypothesis.ids)) / 6) ** 0.8
            assert hypothesis.score == pytest.approx(hypothesis.log_probability / penalty, abs=1e-5)


def test_hypotheses_of_a_sentence_differ(make_table_model: MakeModel) -> None:
    options = DecodingOptions(beam_size=5, num_hypotheses=5, max_length=6)
    for found in beam_search.decode(make_table_model(7), collate_sources(SOURCES), options):
        assert len({hypothesis.ids for hypothesis in found}) == 5


@pytest.mark.parametrize(("decode", "beam_size"), [(beam_search.decode, 3), (greedy.decode, 1)])
def test_finished_sentences_leave_the_batch(make_table_model: MakeModel, decode: Any, beam_size: int) -> None:
    model = make_table_model(6)
    model.logits = lambda source, prefix: np.array([0, 0, 0, 30.0 if len(prefix) >= len(source) else -30.0, 5.0, 0])
    decode(model, collate_sources(SOURCES), DecodingOptions(beam_size=beam_size, length_penalty=0.0))
    assert model.rows_asked[0] == 4  # the hypotheses of a sentence begin alike
    assert model.rows_asked[1] == 4 * beam_size
    assert model.rows_asked[-1] == beam_size
    assert model.rows_asked[1:] == sorted(model.rows_asked[1:], reverse=True)


@pytest.mark.parametrize("decode", [beam_search.decode, greedy.decode])
def test_attention_belongs_to_its_hypothesis_and_has_no_padding(make_table_model: MakeModel, decode: Any) -> None:
    options = DecodingOptions(beam_size=3, num_hypotheses=3, max_length=5)
    found = decode(make_table_model(7), collate_sources(SOURCES), options, keep_attention=True)
    for source, hypotheses in zip(SOURCES, found, strict=True):
        for hypothesis in hypotheses:
            assert hypothesis.attention_TS.shape == (len(hypothesis.ids) + 1, len(source))
            # The stand-in looks at one source place after another, whatever the beams exchange.
            assert hypothesis.attention_TS.argmax(1).tolist() == [place % len(source) for place in range(len(hypothesis.ids) + 1)]


@pytest.mark.parametrize("decode", [beam_search.decode, greedy.decode])
def test_a_model_without_attention_gives_none(make_table_model: MakeModel, decode: Any) -> None:
    model = make_table_model(7)
    options = DecodingOptions(beam_size=3, max_length=5)
    with_attention = decode(model, collate_sources(SOURCES), options, keep_attention=True)
    model.has_attention = False
    without = decode(model, collate_sources(SOURCES), options, keep_attention=True)
    assert [hypothesis.attention_TS for found in without for hypothesis in found] == [None] * len(SOURCES)
    assert [found[0].ids for found in without] == [found[0].ids for found in with_attention]


@pytest.mark.parametrize("decode", [beam_search.decode, greedy.decode])
def test_a_model_in_training_mode_is_refused(make_table_model: MakeModel, decode: Any) -> None:
    model = make_table_model(6)
    model.training = True
    with pytest.raises(ValueError, match=r"the model is in training mode; call its eval\(\) before decoding"):
        decode(model, collate_sources(SOURCES), DecodingOptions())


def test_no_gradient_is_kept(make_table_model: MakeModel) -> None:
    model = make_table_model(6)
    weight = torch.zeros(6, requires_grad=True)
    step = model.step

    def step_with_weight(previous: Any, state: Any) -> Any:
        out = step(previous, state)
        object.__setattr__(out, "logits_NV", out.logits_NV + weight)
        assert not out.logits_NV.requires_grad
        return out

    model.step = step_with_weight
    beam_search.decode(model, collate_sources(SOURCES), DecodingOptions())
