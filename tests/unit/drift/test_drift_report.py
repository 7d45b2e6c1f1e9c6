from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from seq2seq_core.drift.corpus_profile import Profile
from seq2seq_core.drift.drift_report import DriftReport, compare_profiles, to_lines
from seq2seq_core.drift.text_sample import profile_requests
from tests.unit.drift.made_pairs import Pair, make_pairs, make_profile, train_model

MODEL = train_model()
PAIRS = make_pairs(1200, 11)
LABELS = ("the old", "the new")


@pytest.fixture(scope="module")
def old() -> Profile:
    return make_profile(PAIRS, MODEL)


def compare(old: Profile, pairs: list[Pair], alpha: float = 0.01, minimal_effect: float = 0.1) -> DriftReport:
    return compare_profiles(old, make_profile(pairs, MODEL, has_chance=False), LABELS, alpha, minimal_effect)


def names(report: DriftReport) -> set[str]:
    return {one.name for one in report.alarms}


def test_chance_alone_gives_no_alarm_however_small_an_effect_may_be() -> None:
    chance, alarms = Random(7), 0
    for _ in range(25):
        drawn = chance.sample(PAIRS, 400)
        alarms += bool(compare(make_profile(drawn[:250], MODEL), drawn[250:], alpha=0.05, minimal_effect=0.0).alarms)
    assert alarms <= 4, "more have a chance of 0.7 % at 5 %"


def test_more_rows_of_the_same_kind_are_no_drift(old: Profile) -> None:
    report = compare(old, make_pairs(6000, 12))
    assert not report.alarms
    assert len(report.measures) == 14
    assert report.sentence().startswith("drift: none against the old (greatest effect: ")


def lower(pairs: list[Pair]) -> list[Pair]:
    return [(source.lower(), target) for source, target in pairs]


def copied(pairs: list[Pair]) -> list[Pair]:
    return [(source, source if row % 20 == 0 else target) for row, (source, target) in enumerate(pairs)]


def cyrillic(pairs: list[Pair]) -> list[Pair]:
    table = str.maketrans("abdegiklmnoprstu", "абдегиклмнопрсту")
    return [(source, target.translate(table) if row % 10 == 0 else target) for row, (source, target) in enumerate(pairs)]


def joined(pairs: list[Pair]) -> list[Pair]:
    return [(f"{one[0]} {other[0]}", one[1]) for one, other in zip(pairs, pairs[::-1], strict=True)]


def repeating(pairs: list[Pair]) -> list[Pair]:
    return [(pairs[row % 50][0] if row % 8 == 0 else source, target) for row, (source, target) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lower, {"source characters", "source pieces"}),
        (copied, {"untranslated"}),
        (cyrillic, {"target scripts", "target unknown symbols", "target characters", "target pieces"}),
        (joined, {"source length", "length ratio"}),
        (repeating, {"source repeated"}),
    ],
)
def test_a_planted_change_is_found_by_its_measures(
    old: Profile, change: Callable[[list[Pair]], list[Pair]], found: set[str]
) -> None:
    assert names(compare(old, change(make_pairs(800, 13)))) == found


def test_the_report_says_what_has_changed(old: Profile) -> None:
    report = compare(old, cyrillic(make_pairs(800, 13)))
    lines = to_lines(report)
    assert lines[0].startswith("drift against the old: ")
    assert any("latin: " in line and " → " in line for line in lines)
    assert lines[-1] == "800 rows of the new, 1,200 of the old; a false alarm in at most 1% of comparisons"
    assert report.tag() == f"{', '.join(one.name for one in report.alarms)}, against the old"


def test_requests_are_compared_by_their_texts_alone(old: Profile) -> None:
    texts = [source for source, _ in make_pairs(200, 14)]
    same = compare_profiles(old, profile_requests(texts * 3, MODEL), LABELS, 0.01, 0.1)
    assert not same.alarms
    assert {one.name for one in same.measures} == {
        f"source {measure}" for measure in ("length", "scripts", "characters", "unknown symbols", "pieces")
    }
    shouted = compare_profiles(old, profile_requests([text.upper() for text in texts], MODEL), LABELS, 0.01, 0.1)
    assert names(shouted) == {"source characters", "source unknown symbols", "source pieces"}


def test_what_cannot_be_compared_says_why(old: Profile) -> None:
    assert compare(old, make_pairs(49, 1)).trouble == "the new has 49 rows, and less than 50 tell nothing"
    few = compare(make_profile(make_pairs(99, 1), MODEL), PAIRS)
    assert few.tag() == "not compared with the old: its corpus has 99 rows, and chance needs 100 to be known"
    other = compare_profiles(old, make_profile(PAIRS, None, has_chance=False), LABELS, 0.01, 0.1)
    reason = "pieces are not compared: the two have different vocabularies, and their texts are not at hand"
    assert other.notes == [f"source {reason}", f"target {reason}"]
    assert len(other.measures) == 12
