"""Noise against its settings: what it may do at all, and how often it does it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from seq2seq_core.config.objective_sections import Noise, SpanInfilling
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.tokenization.subword import train_subword
from seq2seq_core.training.objectives.noise import NoiseCounts, WordNoise, draw_spans, mask_spans, shuffle_locally, split_words

MASK, VOCABULARY = 4, 60
SILENT: dict[str, Any] = {"shuffle_distance": 0, "drop_probability": 0.0, "blank_probability": 0.0}
Corrupt = Callable[..., tuple[list[list[int]], NoiseCounts]]


@pytest.fixture
def sentences(fresh_seed: int) -> list[list[int]]:
    """Sentences of single-symbol words, 10 to 30 words each, 20,000 words or so; no word is the mask."""
    chance = np.random.default_rng(fresh_seed)
    return [chance.integers(10, VOCABULARY, chance.integers(10, 31)).tolist() for _ in range(1000)]


@pytest.fixture
def corrupt(sentences: list[list[int]], fresh_seed: int) -> Corrupt:
    """The sentences with noise of one kind, and its counts."""

    def run(**settings: Any) -> tuple[list[list[int]], NoiseCounts]:
        noise = WordNoise(Noise.model_validate(SILENT | settings), np.ones(VOCABULARY, dtype=np.bool_), MASK)
        chance = np.random.default_rng([fresh_seed, 1])
        return [noise.corrupt(sentence, chance) for sentence in sentences], noise.counts

    return run


def assert_rate(hits: int, trials: int, probability: float) -> None:
    """Five standard errors: a right rate fails once in two million runs."""
    assert abs(hits / trials - probability) <= 5 * math.sqrt(probability * (1 - probability) / trials)


def test_without_any_kind_a_sentence_stays_as_it_is(corrupt: Corrupt, sentences: list[list[int]]) -> None:
    assert corrupt()[0] == sentences


@pytest.mark.parametrize("probability", [0.1, 0.4])
def test_words_are_dropped_at_the_rate_asked_for_and_the_others_keep_their_order(
    corrupt: Corrupt, sentences: list[list[int]], probability: float
) -> None:
    noisy, counts = corrupt(drop_probability=probability)
    assert counts.dropped == sum(map(len, sentences)) - sum(map(len, noisy))
    assert_rate(counts.dropped, counts.words, probability)
    for short, whole in zip(noisy, sentences, strict=True):
        rest = iter(whole)
        assert all(word in rest for word in short)


def test_one_word_stays_of_a_sentence_that_would_lose_all() -> None:
    noise = WordNoise(Noise.model_validate(SILENT | {"drop_probability": 0.999}), np.ones(VOCABULARY, dtype=np.bool_), MASK)
    chance = np.random.default_rng(0)
    left = [noise.corrupt([11, 12, 13], chance) for _ in range(300)]
    assert {len(ids) for ids in left} == {1}
    assert {ids[0] for ids in left} == {11, 12, 13}
    assert noise.corrupt([], chance) == []


def test_words_are_blanked_in_place_at_the_rate_asked_for(corrupt: Corrupt, sentences: list[list[int]]) -> None:
    noisy, counts = corrupt(blank_probability=0.2)
    hidden = [(now, before) for one, other in zip(noisy, sentences, strict=True) for now, before in zip(one, other, strict=True)]
    assert all(now in (before, MASK) for now, before in hidden)
    assert counts.blanked == sum(now == MASK for now, _ in hidden)
    assert_rate(counts.blanked, counts.blankable, 0.2)


@pytest.mark.parametrize("distance", [1, 3])
def test_no_word_moves_further_than_the_distance_and_some_move_as_far(fresh_seed: int, distance: int) -> None:
    chance = np.random.default_rng(fresh_seed)
    moves: set[int] = set()
    for length in range(1, 200):
        order = shuffle_locally(length, distance, chance)
        assert sorted(order.tolist()) == list(range(length))
        moves |= set((order - np.arange(length)).tolist())
    assert moves == set(range(-distance, distance + 1))


def test_two_words_are_exchanged_as_often_as_the_draws_say(fresh_seed: int) -> None:
    """With k = 1: U(0, 2) above 1 + U(0, 2), which is the probability 1/8."""
    chance = np.random.default_rng(fresh_seed)
    exchanged = sum(shuffle_locally(2, 1, chance)[0] for _ in range(20_000))
    assert_rate(int(exchanged), 20_000, 1 / 8)


@pytest.mark.parametrize(("share", "mean_length"), [(0.3, 3.0), (0.15, 1.5)])
def test_spans_hide_the_share_of_words_asked_for(
    corrupt: Corrupt, sentences: list[list[int]], share: float, mean_length: float
) -> None:
    noisy, counts = corrupt(span_infilling={"mask_probability": share, "mean_length": mean_length})
    # The share of each sentence is off by less than a word: the sum of 1,000 roundings has a standard deviation below 16.
    assert abs(counts.masked - share * counts.maskable) <= 5 * math.sqrt(len(sentences)) / 2
    assert counts.spans == sum(row.count(MASK) for row in noisy)
    assert sum(map(len, noisy)) == counts.maskable - counts.masked + counts.spans


def test_lengths_of_spans_are_of_a_poisson_distribution_until_the_last_one_is_cut(fresh_seed: int) -> None:
    chance = np.random.default_rng(fresh_seed)
    settings = SpanInfilling(mask_probability=0.5, mean_length=3.0)
    drawn = [draw_spans(4000, settings, chance) for _ in range(10)]
    assert {sum(spans) for spans in drawn} == {2000}
    lengths = [length for spans in drawn for length in spans[:-1]]
    assert abs(np.mean(lengths) - 3.0) <= 5 * math.sqrt(3.0 / len(lengths))
    assert_rate(lengths.count(0), len(lengths), math.exp(-3.0))


def test_every_arrangement_of_a_span_is_as_likely(fresh_seed: int) -> None:
    chance = np.random.default_rng(fresh_seed)
    words = [[11], [12], [13]]
    seen = [tuple(id_ for word in mask_spans(words, [2], MASK, chance) for id_ in word) for _ in range(4000)]
    assert set(seen) == {(MASK, 13), (11, MASK)}
    assert_rate(seen.count((MASK, 13)), len(seen), 0.5)
    assert mask_spans(words, [0], MASK, chance).count([MASK]) == 1
    assert mask_spans(words, [3], MASK, chance) == [[MASK]]


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_words_of_a_subword_model_are_those_of_the_text(kind: str) -> None:
    texts = ["eine straße führt zum hafen", "der hafen liegt am ende der straße"]
    model = train_subword(texts * 5, SubwordSettings.model_validate({"model": kind, "vocabulary_size": 30}))
    starts_word_V = model.starts_word_V()
    for text in texts:
        (ids,) = model.encode([text])
        words = split_words(ids, starts_word_V)
        assert len(ids) > len(words), "every word is one piece: nothing is tested"
        assert [model.decode([word])[0].strip() for word in words] == text.split()


@pytest.mark.parametrize("kind", ["char", "symbols"])
def test_characters_and_symbols_are_words_of_their_own(kind: str) -> None:
    model = train_subword(["ab cd", "d c"], SubwordSettings.model_validate({"model": kind, "vocabulary_size": 30}))
    (ids,) = model.encode(["ab cd"])
    assert split_words(ids, model.starts_word_V()) == [[id_] for id_ in ids]


def test_the_same_stream_gives_the_same_noise_and_another_one_other_noise(sentences: list[list[int]]) -> None:
    def run(seed: int) -> list[list[int]]:
        settings = Noise(span_infilling=SpanInfilling(mask_probability=0.2))
        noise = WordNoise(settings, np.ones(VOCABULARY, dtype=np.bool_), MASK)
        chance = np.random.default_rng(seed)
        return [noise.corrupt(sentence, chance) for sentence in sentences[:20]]

    assert run(1) == run(1)
    assert run(1) != run(2)
