from __future__ import annotations

import logging
import math
import random
import re

import pytest
import torch

from seq2seq_core.batching.batch import Source, collate_sources
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.search import decode
from seq2seq_core.decoding.target_scores import TargetScore, score_targets

EOS = 3


def random_sources(predictor: Predictor, seed: int, count: int) -> Source:
    chance = random.Random(seed)
    assert predictor.bundle.source_tokenizer is not None
    size = predictor.bundle.source_tokenizer.vocabulary_size
    return collate_sources([[*(chance.randrange(4, size) for _ in range(chance.randrange(1, 9))), EOS] for _ in range(count)])


@pytest.mark.parametrize(
    "options",
    [
        DecodingOptions(beam_size=1, max_length=7),
        DecodingOptions(beam_size=4, num_hypotheses=4, max_length=7),
        DecodingOptions(beam_size=4, num_hypotheses=2, max_length=7, min_length=3, no_repeat_ngram_size=1),
        DecodingOptions(method="sampling", num_hypotheses=4, max_length=7, temperature=0.7, top_p=0.9),
    ],
    ids=["greedy", "beam", "rules", "sampling"],
)
def test_a_target_scores_what_the_search_reported_of_the_same_hypothesis(
    predictor: Predictor, fresh_seed: int, options: DecodingOptions
) -> None:
    model, source = predictor.bundle.model, random_sources(predictor, fresh_seed, 6)
    prefixes = [[], [4], [], [5, 6], [4, 4], []]
    for number, found in enumerate(zip(*decode(model, source, options, prefixes=prefixes), strict=True)):
        scores = score_targets(model, source, [hypothesis.ids for hypothesis in found])
        assert [one.num_tokens for one in scores] == [len(hypothesis.ids) + 1 for hypothesis in found], number
        assert [one.log_probability for one in scores] == pytest.approx([one.log_probability for one in found], abs=1e-5)


def test_a_pair_scores_the_same_alone_and_in_a_batch(predictor: Predictor, fresh_seed: int) -> None:
    model, source, chance = predictor.bundle.model, random_sources(predictor, fresh_seed, 7), random.Random(fresh_seed)
    targets = [[chance.randrange(4, 9) for _ in range(chance.randrange(9))] for _ in range(7)]
    together = score_targets(model, source, targets)
    for row, target in enumerate(targets):
        length = int(source.lengths_B[row])
        (alone,) = score_targets(model, Source(source.values[row : row + 1, :length], source.lengths_B[row : row + 1]), [target])
        assert alone.num_tokens == together[row].num_tokens == len(target) + 1
        assert alone.log_probability == pytest.approx(together[row].log_probability, abs=1e-9)


def test_the_probabilities_of_all_targets_of_one_symbol_are_shares_of_one(predictor: Predictor) -> None:
    size = predictor.bundle.target_tokenizer.vocabulary_size
    source = collate_sources([[5, EOS]] * (size - 4))
    scores = score_targets(predictor.bundle.model, source, [[symbol] for symbol in range(4, size)])
    assert 0.0 < sum(math.exp(one.log_probability) for one in scores) < 1.0


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        ([[4]], "expected a target for each of 2 sources, got 1"),
        ([[4], [5, 3]], "target 1 must be without pad, bos and eos, got [5, 3]"),
        ([[2, 4], []], "target 0 must be without pad, bos and eos, got [2, 4]"),
    ],
)
def test_targets_that_cannot_be_are_refused(predictor: Predictor, targets: list[list[int]], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        score_targets(predictor.bundle.model, collate_sources([[4, EOS], [5, EOS]]), targets)


def test_a_model_in_training_mode_is_refused(predictor: Predictor) -> None:
    model = torch.nn.Identity().train()
    with pytest.raises(ValueError, match=r"^the model is in training mode; call its eval\(\) before decoding$"):
        score_targets(model, collate_sources([[4, EOS]]), [[4]])


def test_texts_score_what_was_predicted_whatever_the_batches(predictor: Predictor, fresh_seed: int) -> None:
    chance = random.Random(fresh_seed)
    sources = ["".join(chance.choices("abcdefghijklmnop", k=chance.randrange(1, 9))) for _ in range(9)]
    predictions = predictor.predict(sources, DecodingOptions(beam_size=3, max_length=6))
    known = [place for place, prediction in enumerate(predictions) if "\u2047" not in prediction.text]  # unknown has no text
    targets = [prediction.text for prediction in predictions]
    for batch_sentences in (1, 4, 64):
        scores = predictor.score(sources, targets, batch_sentences)
        for place in known:
            assert scores[place].log_probability == pytest.approx(predictions[place].hypotheses[0].log_probability, abs=1e-5)
            assert scores[place].num_tokens == len(targets[place].split()) + 1
            assert scores[place].per_token == scores[place].log_probability / scores[place].num_tokens


def test_an_empty_source_has_the_empty_target_for_certain(predictor: Predictor) -> None:
    scores = predictor.score(["", " ", "abc"], ["", "aa bb", ""])
    assert scores[:2] == [TargetScore(0.0, 1), TargetScore(-math.inf, 3)]
    assert scores[2].num_tokens == 1
    assert -math.inf < scores[2].log_probability < 0.0
    assert predictor.score([], []) == []


def test_a_source_that_is_too_long_is_cut_with_a_warning(predictor: Predictor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        cut, whole = predictor.score(["abcdefgh", "abcd"], ["aa", "aa"], max_source_tokens=5)
    assert cut.log_probability == pytest.approx(whole.log_probability)
    assert caplog.messages == ["1 of 2 sources have more than 5 tokens and are cut there; the first is number 1 with 9 tokens"]


def test_as_many_targets_as_sources_are_expected(predictor: Predictor) -> None:
    with pytest.raises(ValueError, match=r"^expected a target for each of 2 sources, got 1$"):
        predictor.score(["a", "b"], ["aa"])
