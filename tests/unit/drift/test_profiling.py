from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from seq2seq_core.drift.corpus_profile import parse_profile
from seq2seq_core.drift.profiling import CorpusProfiler
from seq2seq_core.errors import UserError
from tests.unit.drift.made_pairs import make_pairs, make_profile, train_model


def test_a_profile_counts_what_is_in_the_corpus() -> None:
    profile = make_profile([("ab", "ab"), ("ab", "cc c"), ("", "ж\ud800")])
    source, target = profile.source, profile.target
    assert source is not None
    assert target is not None
    assert (profile.rows, profile.counted, profile.untranslated, sum(profile.ratios)) == (3, 3, 1, 3)
    assert source.character_counts() == {"a": 2, "b": 2}
    assert target.character_counts() == {"c": 3, " ": 1, "a": 1, "b": 1, "ж": 1}
    assert (source.unlisted, target.unlisted) == (0, 1), "half of a pair is counted, and has no name"
    assert source.lengths == [1, 0, 2]
    assert (source.mean_length, source.length_deviation) == (1.3333, 0.9428)
    assert source.repeats == {1: 1, 2: 1}
    assert profile.chance is None, "three rows say nothing of chance"
    assert parse_profile(profile.to_json(), "it") == profile


def test_the_order_of_the_rows_and_the_size_of_the_chunks_change_no_byte() -> None:
    pairs, model = make_pairs(300, 1), train_model()
    shuffled = Random(5).sample(pairs, len(pairs))
    assert make_profile(pairs, model).to_json() == make_profile(shuffled, model, chunk=37).to_json()


def test_a_large_corpus_is_counted_by_a_sample_of_its_rows() -> None:
    pairs = make_pairs(3000, 2)
    profiler = CorpusProfiler(len(pairs), counted_rows=1000, sample_rows=200)
    profiler.add([source for source, _ in pairs], [target for _, target in pairs])
    profile, whole = profiler.profile(None, None), make_profile(pairs, has_chance=False)
    assert profile.source is not None
    assert whole.source is not None
    assert (profile.rows, 900 < profile.counted < 1100) == (3000, True)
    assert profile.source.mean_length == pytest.approx(whole.source.mean_length, rel=0.05)
    assert profile.source.repeats == whole.source.repeats, "these are of all rows"
    assert profile.chance is not None
    assert 40 <= profile.chance.sizes[-1] <= 60, "a quarter of the sample"
    assert len(profile.to_json()) < 20_000


def test_of_recordings_the_targets_alone_are_counted() -> None:
    profiler = CorpusProfiler(2, has_recordings=True)
    profiler.add(["a.wav", "b.wav"], ["one", "two"])
    profile = profiler.profile(None, None)
    assert (profile.source, profile.ratios, profile.untranslated) == (None, [], None)
    assert profile.target is not None


def test_what_is_no_profile_is_refused_with_the_place_of_its_fault() -> None:
    whole = json.loads(make_profile(make_pairs(120, 1)).to_json())
    changes: list[tuple[Callable[[dict[str, Any]], object], str]] = [
        (lambda own: own.pop("rows"), "rows: Field required"),
        (lambda own: own["source"]["counts"].pop(), "source: Value error, counts must have 27 entries, got 26"),
        (lambda own: own["target"]["lengths"].extend([0] * 200), "target: Value error, lengths must have at most 153 bins, got "),
        (lambda own: own["ratios"].pop(), ": Value error, ratios must have 66 entries, got 65"),
        (lambda own: own["chance"]["spreads"][0].pop(), "chance: Value error, spreads must have 12 entries, got 11"),
        (lambda own: own["chance"]["factors"].clear(), "chance.factors: Dictionary should have at least 1 item"),
    ]
    for change, message in changes:
        broken = copy.deepcopy(whole)
        change(broken)
        with pytest.raises(UserError, match=r"^it: no profile of a corpus that this release reads \(") as raised:
            parse_profile(json.dumps(broken), "it")
        assert message in str(raised.value)
