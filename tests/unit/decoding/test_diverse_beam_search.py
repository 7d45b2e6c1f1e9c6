from __future__ import annotations

import pytest

from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.decoding.predictor import Predictor

SOURCES = ["abc", "defg hi", "j", "klmnop"]


def assert_same(found: list[Prediction], expected: list[Prediction]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert [hypothesis.text for hypothesis in one.hypotheses] == [hypothesis.text for hypothesis in other.hypotheses]
        assert [hypothesis.score for hypothesis in one.hypotheses] == pytest.approx(
            [hypothesis.score for hypothesis in other.hypotheses]
        )


def test_groups_without_penalty_are_beams_of_their_size(predictor: Predictor) -> None:
    options = predictor.options.override(beam_size=6, diversity_groups=3, diversity_penalty=0.0)
    assert_same(predictor.predict(SOURCES, options), predictor.predict(SOURCES, options.override(beam_size=2, diversity_groups=1)))


def test_groups_begin_differently_under_a_large_penalty_and_their_scores_stay_the_model_s(predictor: Predictor) -> None:
    options = predictor.options.override(beam_size=6, num_hypotheses=3, max_length=8, min_length=1)
    options = options.override(diversity_groups=3, diversity_penalty=100.0)
    for source, prediction in zip(SOURCES, predictor.predict(SOURCES, options), strict=True):
        texts = [one.text for one in prediction.hypotheses]
        assert len({text.split(" ")[0] for text in texts}) == 3
        assert [one.score for one in prediction.hypotheses] == sorted((one.score for one in prediction.hypotheses), reverse=True)
        known = [one for one in prediction.hypotheses if "\u2047" not in one.text]
        scored = predictor.score([source] * len(known), [one.text for one in known])
        assert [one.log_probability for one in known] == pytest.approx([one.log_probability for one in scored])


def test_a_source_gets_the_same_groups_in_any_batch(predictor: Predictor) -> None:
    options = predictor.options.override(beam_size=4, diversity_groups=2, num_hypotheses=4, no_repeat_ngram_size=2)
    together = predictor.predict(SOURCES * 3, options)
    assert_same(together, [predictor.predict(source, options) for source in SOURCES * 3])
    assert predictor.predict(SOURCES, options, prefixes=["aa bb"] * 4)[0].text.startswith("aa bb")


def test_groups_that_outnumber_the_symbols_are_filled_up(predictor: Predictor) -> None:
    options = predictor.options.override(beam_size=60, diversity_groups=2, num_hypotheses=5, max_length=2)
    assert all(len({one.text for one in found.hypotheses}) == 5 for found in predictor.predict(SOURCES, options))
