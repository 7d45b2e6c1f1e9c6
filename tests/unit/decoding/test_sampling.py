from __future__ import annotations

import collections
import itertools
import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.batching.batch import Source, collate_sources
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding import greedy, sampling
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.decoding.sampling import draw_symbols, sampling_weights, uniforms

EOS = 3
SYMBOLS = (1, 4, 5)
SOURCES = [[4, 5, 4, 3], [5, 3], [4, 4, 5, 5, 4, 3], [5, 4, 3]]
Model = Any
MakeModel = Callable[..., Model]
Chances = dict[tuple[int, ...], float]
VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "sharpened": {"temperature": 0.6},
    "flattened": {"temperature": 1.8},
    "top-k": {"top_k": 2},
    "nucleus": {"top_p": 0.7},
    "all": {"temperature": 1.3, "top_k": 3, "top_p": 0.8},
    "under rules": {"min_length": 1, "no_repeat_ngram_size": 2},
}


def next_chances(model: Model, source: list[int], ids: tuple[int, ...], options: DecodingOptions) -> dict[int, float]:
    """Of each symbol, by the definitions and one symbol after another."""
    allowed = [EOS] if len(ids) == options.max_length else [*SYMBOLS, EOS][: 3 if len(ids) < options.min_length else 4]
    if options.no_repeat_ngram_size == 2:
        pairs = set(itertools.pairwise(ids))
        allowed = [symbol for symbol in allowed if symbol == EOS or (*ids[-1:], symbol) not in pairs]
    logits = model.logits(source, [2, *ids])
    falling = sorted(allowed, key=lambda symbol: -float(logits[symbol]))[: options.top_k or None]
    weights = [math.exp(float(logits[symbol]) / options.temperature) for symbol in falling]
    nucleus, reached = [], 0.0
    for symbol, weight in zip(falling, weights, strict=True):
        if reached < options.top_p * sum(weights):
            nucleus.append(symbol)
            reached += weight
    return {symbol: weight / reached for symbol, weight in zip(nucleus, weights, strict=False)}


def chances(model: Model, source: list[int], options: DecodingOptions, ids: tuple[int, ...] = (), so_far: float = 1.0) -> Chances:
    """The probability of every sequence, by enumeration."""
    found: Chances = {}
    for symbol, chance in next_chances(model, source, ids, options).items():
        if symbol == EOS:
            found[ids] = so_far * chance
        else:
            found |= chances(model, source, options, (*ids, symbol), so_far * chance)
    return found


def chi_squared(counts: Mapping[tuple[int, ...], int], expected: Chances) -> tuple[float, float]:
    """The statistic, sequences expected fewer than 5 times together as one, and its value that chance exceeds once in a million."""
    total = sum(counts.values())
    cells = [(counts.get(ids, 0), total * chance) for ids, chance in expected.items() if total * chance >= 5]
    rare = (total - sum(count for count, _ in cells), total - sum(mean for _, mean in cells))
    cells += [rare] if rare[1] >= 5 else []
    statistic = sum((count - mean) ** 2 / mean for count, mean in cells)
    freedom = len(cells) - 1
    if freedom == 0:  # one sequence is certain: all samples must be it
        return statistic, 1e-9
    # Wilson and Hilferty 1931; 4.7534 is the normal distribution's quantile.
    return statistic, freedom * (1 - 2 / (9 * freedom) + 4.7534 * math.sqrt(2 / (9 * freedom))) ** 3


def count_samples(model: Model, source: list[int], options: DecodingOptions) -> collections.Counter[tuple[int, ...]]:
    (found,) = sampling.decode(model, collate_sources([source]), options)
    return collections.Counter(hypothesis.ids for hypothesis in found)


@pytest.mark.parametrize("variant", VARIANTS)
def test_sequences_come_as_often_as_the_distribution_says(make_table_model: MakeModel, fresh_seed: int, variant: str) -> None:
    model = make_table_model(6)
    options = DecodingOptions(method="sampling", num_hypotheses=4000, max_length=3, seed=fresh_seed, **VARIANTS[variant])
    expected = chances(model, SOURCES[0], options)
    assert sum(expected.values()) == pytest.approx(1.0)
    counts = count_samples(model, SOURCES[0], options)
    assert counts.keys() <= expected.keys()
    statistic, critical = chi_squared(counts, expected)
    assert statistic < critical


def test_the_test_of_frequencies_tells_a_temperature_from_another(make_table_model: MakeModel, fresh_seed: int) -> None:
    model = make_table_model(6)
    options = DecodingOptions(method="sampling", num_hypotheses=4000, max_length=3, seed=fresh_seed)
    other = chances(model, SOURCES[0], options.model_copy(update={"temperature": 0.6}))
    statistic, critical = chi_squared(count_samples(model, SOURCES[0], options), other)
    assert statistic > critical


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_source_gets_the_same_samples_alone_in_any_batch_and_in_any_order(
    make_table_model: MakeModel, fresh_seed: int, variant: str
) -> None:
    model, chance = make_table_model(7), random.Random(fresh_seed)
    options = DecodingOptions(method="sampling", num_hypotheses=4, max_length=6, seed=fresh_seed, **VARIANTS[variant])
    alone = [sampling.decode(model, collate_sources([source]), options)[0] for source in SOURCES]
    for _ in range(3):
        order = chance.sample(range(4), chance.randrange(2, 5))
        together = sampling.decode(model, collate_sources([SOURCES[place] for place in order]), options)
        assert together == [alone[place] for place in order]


def test_fewer_samples_are_the_first_of_more_and_another_seed_gives_others(make_table_model: MakeModel, fresh_seed: int) -> None:
    model, source = make_table_model(9), collate_sources(SOURCES)
    options = DecodingOptions(method="sampling", num_hypotheses=6, max_length=8, seed=fresh_seed)
    more = sampling.decode(model, source, options)
    assert more == sampling.decode(model, source, options)
    fewer = sampling.decode(model, source, options.model_copy(update={"num_hypotheses": 2}))
    assert fewer == [found[:2] for found in more]
    assert more != sampling.decode(model, source, options.model_copy(update={"seed": fresh_seed + 1}))
    assert len({hypothesis.ids for hypothesis in more[0]}) > 1


def test_log_probabilities_are_the_models_own_whatever_the_temperature(make_table_model: MakeModel, fresh_seed: int) -> None:
    model = make_table_model(7)
    options = DecodingOptions(
        method="sampling", num_hypotheses=5, max_length=5, length_penalty=0.5, temperature=0.5, top_k=3, seed=fresh_seed
    )
    for source, found in zip(SOURCES, sampling.decode(model, collate_sources(SOURCES), options), strict=True):
        for hypothesis in found:
            assert hypothesis.log_probability == pytest.approx(model.log_probability(source, hypothesis.ids), abs=1e-4)
            assert hypothesis.score == pytest.approx(hypothesis.log_probability / ((6 + len(hypothesis.ids)) / 6) ** 0.5, abs=1e-5)


@pytest.mark.parametrize("sharp", [{"top_k": 1}, {"temperature": 1e-9}, {"temperature": 5e-324}, {"top_p": 1e-6}])
def test_sampling_without_a_choice_is_greedy_decoding(make_table_model: MakeModel, fresh_seed: int, sharp: dict[str, Any]) -> None:
    model = make_table_model(8)
    options = DecodingOptions(method="sampling", max_length=6, seed=fresh_seed, min_length=2, **sharp)
    prefixes = [[5], [], [6, 7], []]
    sampled = sampling.decode(model, collate_sources(SOURCES), options, prefixes=prefixes)
    assert sampled == greedy.decode(model, collate_sources(SOURCES), options, prefixes=prefixes)


def test_every_sample_begins_with_its_prefix(make_table_model: MakeModel, fresh_seed: int) -> None:
    model, prefixes = make_table_model(6), [[5, 5, 1], [], [4] * 9, [1, 4]]  # one of them beyond the limit
    options = DecodingOptions(method="sampling", num_hypotheses=3, max_length=5, seed=fresh_seed)
    decoded = sampling.decode(model, collate_sources(SOURCES), options, prefixes=prefixes)
    for source, prefix, found in zip(SOURCES, prefixes, decoded, strict=True):
        assert {hypothesis.ids[: len(prefix)] for hypothesis in found} == {tuple(prefix)}
        assert found[0].log_probability == pytest.approx(model.log_probability(source, found[0].ids), abs=1e-4)


def test_finished_samples_leave_the_batch(make_table_model: MakeModel, fresh_seed: int) -> None:
    model = make_table_model(6)
    model.logits = lambda source, prefix: np.array([0, 0, 0, 40.0 if len(prefix) >= len(source) else -40.0, 5.0, 0])
    sampling.decode(model, collate_sources(SOURCES), DecodingOptions(method="sampling", num_hypotheses=3, seed=fresh_seed))
    assert model.rows_asked == [4, 12, 9, 6, 3, 3]  # the samples of a source begin alike


def test_attention_belongs_to_its_sample(make_table_model: MakeModel, fresh_seed: int) -> None:
    options = DecodingOptions(method="sampling", num_hypotheses=3, max_length=5, seed=fresh_seed)
    decoded = sampling.decode(make_table_model(7), collate_sources(SOURCES), options, keep_attention=True)
    for source, found in zip(SOURCES, decoded, strict=True):
        for hypothesis in found:
            assert hypothesis.attention_TS is not None
            assert hypothesis.attention_TS.argmax(1).tolist() == [place % len(source) for place in range(len(hypothesis.ids) + 1)]


def test_a_source_of_frames_has_a_stream_of_its_own_content() -> None:
    frames = np.arange(12, dtype=np.float32).reshape(4, 3)
    together = collate_sources([frames, frames[:2]])
    alone = collate_sources([frames[:2]])
    assert sampling._contents(together) == [frames.tobytes(), frames[:2].tobytes()]
    assert sampling._contents(alone) == sampling._contents(together)[1:]
    assert sampling._contents(Source(torch.tensor([[4, 3, 0]]), torch.tensor([2]))) == [np.array([4, 3]).tobytes()]


def test_streams_differ_by_seed_number_and_content_and_begin_alike_whatever_their_length() -> None:
    streams = [uniforms(seed, number, content, 4).tolist() for seed in (0, 1) for number in (0, 1) for content in (b"a", b"b")]
    assert len({tuple(stream) for stream in streams}) == 8
    assert uniforms(0, 0, b"a", 9)[:4].tolist() == streams[0]


def test_symbols_as_likely_as_the_last_one_kept_are_kept_as_well() -> None:
    log_probabilities_NV = torch.tensor([[0.1, 0.3, 0.2, 0.2, 0.2]]).log()
    assert (sampling_weights(log_probabilities_NV, top_k=2) > 0).tolist() == [[False, True, True, True, True]]
    assert (sampling_weights(log_probabilities_NV, top_p=0.35) > 0).tolist() == [[False, True, True, True, True]]
    assert (sampling_weights(log_probabilities_NV, top_p=0.25) > 0).tolist() == [[False, True, False, False, False]]
    assert (sampling_weights(log_probabilities_NV, top_k=9) > 0).all()


def test_only_symbols_with_a_chance_are_drawn_at_both_ends_of_the_stream() -> None:
    weights_NV = torch.tensor([[0.0, 0.0, 0.7, 0.1, 0.0]] * 2, dtype=torch.float64)
    largest = math.nextafter(1.0, 0.0)
    for total in (0.8, 1.0, 1.0 + 2**-52, 2.0, 7 / 3):
        drawn = draw_symbols(weights_NV / 0.8 * total, torch.tensor([0.0, largest], dtype=torch.float64))
        assert drawn.tolist() == [2, 3]
    assert draw_symbols(weights_NV, torch.tensor([0.874, 0.876], dtype=torch.float64)).tolist() == [2, 3]


def test_samples_of_a_real_model_do_not_depend_on_the_batch(predictor: Predictor, fresh_seed: int) -> None:
    chance = random.Random(fresh_seed)
    sources = ["".join(chance.choices("abcdefghijklmnop", k=chance.randrange(1, 12))) for _ in range(9)]
    options = DecodingOptions(method="sampling", num_hypotheses=3, seed=fresh_seed, max_length=8, temperature=1.2, top_p=0.9)
    alone = [[h.text for h in predictor.predict([source], options)[0].hypotheses] for source in sources]
    for batch_sentences in (2, 64):
        together = predictor.predict(sources, options, batch_sentences)
        assert [[h.text for h in prediction.hypotheses] for prediction in together] == alone
