from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from seq2seq_core.gate.scored_rows import ScoredRows, score_rows
from seq2seq_core.model_card.calibration import calibrate
from seq2seq_core.model_card.unseen import find_coverage


def rows_of(right: Sequence[bool]) -> ScoredRows:
    return score_rows("exact_match", ["a" if one else "b" for one in right], ["a"] * len(right))


def test_the_calibration_error_is_the_mean_difference_of_probability_and_share_right() -> None:
    # 60 answers of probability 0.95, of which 45 are right, and 40 of 0.25, of which 10 are right.
    logs = [math.log(0.95)] * 60 + [math.log(0.25)] * 40
    right = [place < 45 for place in range(60)] + [place < 10 for place in range(40)]
    found = calibrate(logs, right, rows_of(right))
    assert found is not None
    assert [(one.low, one.count, round(one.right, 9)) for one in found.bins] == [(0.2, 40, 0.25), (0.9, 60, 0.75)]
    assert found.error == pytest.approx(0.6 * 0.2)
    # Of right answers 45 are surer than the 30 wrong ones of the lower range; ties count half.
    assert found.ranking == pytest.approx((45 * (30 + 7.5) + 10 * 15) / (55 * 45))
    assert [one.value for one in found.quality] == [0.5, 0.0, 1.0, 1.0, 0.25]  # equal ones in the order of the rows


def test_no_calibration_error_is_stated_where_many_answers_can_be_right() -> None:
    right = [place < 5 for place in range(100)]
    found = calibrate([-20.0] * 100, right, rows_of(right))
    assert found is not None
    assert found.error is None
    assert len(found.quality) == 5


@pytest.mark.parametrize("logs", [[], [-1.0], [-1.0, float("nan")]])
def test_answers_without_usable_probabilities_have_no_calibration(logs: list[float]) -> None:
    assert calibrate(logs, [True, False], rows_of([True, False])) is None


def test_coverage_names_symbols_and_values_that_only_test_has() -> None:
    train = [{"source": "abc", "target": "", "language": "de"}]
    test = [
        {"source": "abβ", "target": "", "language": "el"},
        {"source": "βγ", "target": "", "language": "de"},
    ]
    found = find_coverage(train, test, ["language"])
    assert (found.train_rows, found.is_whole) == (1, True)
    assert found.unseen_symbols == {"β": 2, "γ": 1}
    assert found.unseen_values == {"language": {"el": 1}}
