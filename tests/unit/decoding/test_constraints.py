from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding import beam_search, greedy
from seq2seq_core.decoding.constraints import Constraints, make_constraints, repeating_symbols
from seq2seq_core.decoding.predictor import Predictor
from tests.unit.decoding.ranking import assert_best

EOS = 3
SYMBOLS = (1, 4, 5)
SOURCES = [[4, 5, 4, 3], [5, 3], [4, 4, 5, 5, 4, 3], [5, 4, 3]]
PREFIXES = [[5, 5], [], [1], [4, 5, 4]]
Model = Any
MakeModel = Callable[..., Model]
RULES: dict[str, dict[str, Any]] = {
    "minimum length": {"options": {"min_length": 2}},
    "minimum is maximum": {"options": {"min_length": 4}},
    "no symbol twice": {"options": {"no_repeat_ngram_size": 1}},
    "no bigram twice": {"options": {"no_repeat_ngram_size": 2}},
    "prefix": {"prefixes": PREFIXES},
    "all": {"options": {"min_length": 3, "no_repeat_ngram_size": 2}, "prefixes": PREFIXES},
    "all, in conflict": {"options": {"min_length": 4, "no_repeat_ngram_size": 1}, "prefixes": PREFIXES},
}


def has_repeated_ngram(ids: tuple[int, ...], size: int) -> bool:
    ngrams = [ids[start : start + size] for start in range(len(ids) - size + 1)]
    return len(set(ngrams)) < len(ngrams)


def followers(ids: tuple[int, ...], options: DecodingOptions, prefix: list[int]) -> list[int]:
    """What may follow, straight from the rules as they are documented."""
    assert options.max_length
    if len(ids) < len(prefix):
        return [prefix[len(ids)]]
    if len(ids) >= options.max_length:
        return [EOS]
    size, seen = options.no_repeat_ngram_size, set()
    if size:
        seen = {ids[start : start + size] for start in range(len(ids) - size + 1)}
    allowed = [symbol for symbol in SYMBOLS if (*ids, symbol)[-size:] not in seen]
    return allowed if allowed and len(ids) < options.min_length else [*allowed, EOS]


def enumerate_all(options: DecodingOptions, prefix: list[int], ids: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    for symbol in followers(ids, options, prefix):
        if symbol == EOS:
            yield ids
        else:
            yield from enumerate_all(options, prefix, (*ids, symbol))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_under_each_rule_a_beam_that_holds_everything_is_exhaustive_search(
    make_table_model: MakeModel, rule: str, exponent: float
) -> None:
    model, prefixes = make_table_model(6), RULES[rule].get("prefixes")
    options = DecodingOptions(
        beam_size=400, num_hypotheses=12, max_length=4, length_penalty=exponent, **RULES[rule].get("options", {})
    )
    decoded = beam_search.decode(model, collate_sources(SOURCES), options, prefixes=prefixes)
    for place, (source, found) in enumerate(zip(SOURCES, decoded, strict=True)):
        sequences = enumerate_all(options, prefixes[place] if prefixes else [])
        scored = [(model.log_probability(source, ids) / ((6 + len(ids)) / 6) ** exponent, ids) for ids in sequences]
        assert scored
        assert_best(found, scored, 12)


@pytest.mark.parametrize("rule", RULES)
def test_under_each_rule_a_beam_of_one_is_greedy_decoding_and_takes_the_likeliest_allowed_symbol(
    make_table_model: MakeModel, rule: str
) -> None:
    model, prefixes = make_table_model(6), RULES[rule].get("prefixes")
    options = DecodingOptions(beam_size=1, max_length=4, **RULES[rule].get("options", {}))
    by_beam = beam_search.decode(model, collate_sources(SOURCES), options, prefixes=prefixes)
    by_greedy = greedy.decode(model, collate_sources(SOURCES), options, prefixes=prefixes)
    for place, (one, other) in enumerate(zip(by_beam, by_greedy, strict=True)):
        ids: tuple[int, ...] = ()
        while (symbol := likeliest(model, SOURCES[place], ids, options, prefixes[place] if prefixes else [])) != EOS:
            ids = (*ids, symbol)
        assert one[0].ids == other[0].ids == ids
        assert one[0].score == pytest.approx(other[0].score, abs=1e-5)
        assert other[0].log_probability == pytest.approx(model.log_probability(SOURCES[place], ids), abs=1e-4)


def likeliest(model: Model, source: list[int], ids: tuple[int, ...], options: DecodingOptions, prefix: list[int]) -> int:
    logits = model.logits(source, [2, *ids])
    return max(followers(ids, options, prefix), key=lambda symbol: float(logits[symbol]))


@pytest.mark.parametrize("decode", [beam_search.decode, greedy.decode])
@pytest.mark.parametrize("rule", RULES)
def test_under_each_rule_a_sentence_gets_the_same_alone_and_in_a_batch(make_table_model: MakeModel, decode: Any, rule: str) -> None:
    model, prefixes = make_table_model(6, scale=2.0), RULES[rule].get("prefixes")
    options = DecodingOptions(beam_size=3, num_hypotheses=2, max_length_offset=3, **RULES[rule].get("options", {}))
    together = decode(model, collate_sources(SOURCES), options, prefixes=prefixes)
    for place, source in enumerate(SOURCES):
        alone = decode(model, collate_sources([source]), options, prefixes=prefixes and [prefixes[place]])
        assert alone == [together[place]]
    backwards = decode(model, collate_sources(SOURCES[::-1]), options, prefixes=prefixes and prefixes[::-1])
    assert backwards == together[::-1]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_ngram_comes_twice_and_only_a_hypothesis_where_one_would_changes(
    make_table_model: MakeModel, fresh_seed: int, size: int
) -> None:
    model, chance = make_table_model(8, scale=1.5), random.Random(fresh_seed)
    sources = [[*(chance.randrange(4, 8) for _ in range(chance.randrange(1, 6))), EOS] for _ in range(60)]
    free = greedy.decode(model, collate_sources(sources), DecodingOptions(max_length=12))
    options = DecodingOptions(max_length=12, no_repeat_ngram_size=size, num_hypotheses=5)
    ruled = greedy.decode(model, collate_sources(sources), options)
    changed = [one[0].ids != other[0].ids for one, other in zip(free, ruled, strict=True)]
    assert changed == [has_repeated_ngram(found[0].ids, size) for found in free]
    by_beam = beam_search.decode(model, collate_sources(sources), options)
    assert not [found for found in (*ruled, *by_beam) for one in found if has_repeated_ngram(one.ids, size)]


@pytest.mark.parametrize("decode", [beam_search.decode, greedy.decode])
def test_no_hypothesis_is_shorter_than_the_minimum_even_where_the_limit_by_ratio_is(
    make_table_model: MakeModel, decode: Any
) -> None:
    model = make_table_model(6)
    model.logits = lambda source, prefix: np.array([0.0, 0, 0, 9.0, 0.1 * len(prefix) % 0.3, 0])
    options = DecodingOptions(beam_size=4, num_hypotheses=4, min_length=7, max_length_ratio=0.1, max_length_offset=2)
    for found in decode(model, collate_sources(SOURCES), options):
        assert {len(hypothesis.ids) for hypothesis in found} == {7}


@pytest.mark.parametrize("decode", [beam_search.decode, greedy.decode])
def test_a_forced_prefix_begins_every_hypothesis_even_beyond_the_limit_and_with_repeats(
    make_table_model: MakeModel, decode: Any
) -> None:
    model, prefixes = make_table_model(6), [[4] * 6, [], [5, 4], [1, 1, 1]]
    options = DecodingOptions(beam_size=3, num_hypotheses=3, max_length=4, no_repeat_ngram_size=1)
    decoded = decode(model, collate_sources(SOURCES), options, prefixes=prefixes)
    for prefix, source, found in zip(prefixes, SOURCES, decoded, strict=True):
        for hypothesis in found:
            assert hypothesis.ids[: len(prefix)] == tuple(prefix)
            assert len(hypothesis.ids) <= max(4, len(prefix))
            assert hypothesis.log_probability == pytest.approx(model.log_probability(source, hypothesis.ids), abs=1e-4)
    assert decoded[0][0].ids == (4,) * 6


@pytest.mark.parametrize("decode", [beam_search.decode, greedy.decode])
def test_empty_prefixes_are_no_prefixes(make_table_model: MakeModel, decode: Any) -> None:
    model, options = make_table_model(7), DecodingOptions(beam_size=3, num_hypotheses=3, max_length=5)
    free = decode(model, collate_sources(SOURCES), options)
    assert decode(model, collate_sources(SOURCES), options, prefixes=[[]] * 4) == free


@pytest.mark.parametrize(
    ("prefixes", "reason"),
    [
        ([[4]], "expected a prefix for each of 4 sentences, got 1"),
        ([[], [4, 3], [], []], "prefix 1 must not hold </s>, got [4, 3]"),
        ([[], [], [2, 4], []], "prefix 2 must not hold <s>, got [2, 4]"),
        ([[0], [], [], []], "prefix 0 must not hold <pad>, got [0]"),
    ],
)
def test_prefixes_that_cannot_be_are_refused(prefixes: list[list[int]], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        make_constraints(DecodingOptions(), [len(row) for row in SOURCES], prefixes)


def test_repeating_symbols_are_those_that_followed_the_same_history(fresh_seed: int) -> None:
    chance = random.Random(fresh_seed)
    for size in (1, 2, 3, 4):
        for length in range(9):
            rows = [[chance.randrange(4, 7) for _ in range(length)] for _ in range(5)]
            places, symbols = repeating_symbols(torch.tensor([[2, *row] for row in rows]), size)
            expected = {
                (place, row[start + size - 1])
                for place, row in enumerate(rows)
                for start in range(length - size + 1)
                if row[start : start + size - 1] == row[length - size + 1 :]
            }
            assert set(zip(places.tolist(), symbols.tolist(), strict=True)) == expected


@pytest.mark.parametrize("beam_size", [1, 4])
def test_the_rules_hold_on_a_real_model_whatever_the_batch(predictor: Predictor, fresh_seed: int, beam_size: int) -> None:
    chance, model = random.Random(fresh_seed), predictor.bundle.model
    vocabulary_size = predictor.bundle.target_tokenizer.vocabulary_size
    sources = [[*(chance.randrange(4, 12) for _ in range(chance.randrange(1, 9))), EOS] for _ in range(6)]
    prefixes = [[chance.randrange(4, vocabulary_size) for _ in range(place % 3)] for place in range(6)]
    options = DecodingOptions(beam_size=beam_size, min_length=3, no_repeat_ngram_size=2, max_length=9)
    decode = greedy.decode if beam_size == 1 else beam_search.decode
    together = decode(model, collate_sources(sources), options, prefixes=prefixes)
    for source, prefix, found in zip(sources, prefixes, together, strict=True):
        assert found[0].ids[: len(prefix)] == tuple(prefix)
        assert 3 <= len(found[0].ids) <= 9
        assert not has_repeated_ngram(found[0].ids[max(0, len(prefix) - 1) :], 2)
        assert decode(model, collate_sources([source]), options, prefixes=[prefix])[0][0].ids == found[0].ids


def test_a_banned_symbol_follows_only_where_a_prefix_holds_it() -> None:
    constraints = Constraints(limits=(5, 5), prefixes=((4,), ()), banned_ids=(4,))
    logits_NV = torch.randn(2, 6)
    first_NV = constraints.next_log_probabilities(logits_NV.clone(), torch.tensor([[2], [2]]), [0, 1])
    assert [row.isfinite().nonzero().flatten().tolist() for row in first_NV] == [[4], [1, 3, 5]]
    second_NV = constraints.next_log_probabilities(logits_NV, torch.tensor([[2, 4], [2, 1]]), [0, 1])
    assert [row.isfinite().nonzero().flatten().tolist() for row in second_NV] == [[1, 3, 5]] * 2
