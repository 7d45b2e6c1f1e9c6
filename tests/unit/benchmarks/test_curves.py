"""The comparison of learning curves, against SciPy's test and cases whose answer is known."""

from __future__ import annotations

import math

import pytest
import scipy.stats

from benchmarks.measured.curves import as_table, paired_difference, verdict

PLAIN = [[5.0, 4.0], [5.2, 4.1], [4.9, 4.2]]


def shifted(*by_seed: float) -> list[list[float]]:
    """The plain curves, each moved by a number."""
    return [[loss + shift for loss in curve] for curve, shift in zip(PLAIN, by_seed, strict=True)]


def test_the_difference_and_its_interval_are_scipys() -> None:
    first, second = [4.1, 4.3, 4.6, 4.0], [4.0, 4.4, 4.2, 3.9]
    found, expected = paired_difference(first, second), scipy.stats.ttest_rel(first, second)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.in_errors == pytest.approx(expected.statistic)


def test_a_loss_that_is_higher_with_every_seed_is_called_worse_and_a_lower_one_better() -> None:
    assert "WORSE" in verdict(shifted(0.10, 0.11, 0.12), PLAIN)
    assert "better" in verdict(shifted(-0.10, -0.11, -0.12), PLAIN)


def test_differences_of_both_signs_are_noise_and_its_size_is_told() -> None:
    text = verdict(shifted(0.1, -0.1, 0.0), PLAIN)
    half = scipy.stats.t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert f"{-half:+.4f} to {half:+.4f}" in text
    assert f"no harm seen: the interval holds 0; what it leaves possible is a loss that is {half / (27.4 / 6):.2%} higher" in text


def test_one_seed_gives_curves_but_no_verdict() -> None:
    assert "no verdict" in verdict(PLAIN[:1], PLAIN[:1])
    assert as_table([50, 100], PLAIN[:1], PLAIN[:1]).splitlines()[2:] == [
        "| 50 | 5.0000 | 5.0000 | +0.0000 | – |",
        "| 100 | 4.0000 | 4.0000 | +0.0000 | – |",
    ]


def test_the_table_has_a_row_a_validation() -> None:
    rows = as_table([50, 100], shifted(0.1, 0.2, 0.3), PLAIN).splitlines()[2:]
    assert rows[0] == "| 50 | 5.2333 ± 0.1528 | 5.0333 ± 0.1528 | +0.2000 | +3.5 |"
    assert len(rows) == 2
