"""The levels of many comparisons, and what is left of a test set."""

from __future__ import annotations

import math

import pytest

from seq2seq_core.gate.spending import level_of_look, spent_share


def test_the_levels_are_those_of_the_formula_and_sum_to_alpha() -> None:
    assert level_of_look(0.05, 1) == pytest.approx(0.05 * 6 / math.pi**2)
    assert level_of_look(0.05, 100) == pytest.approx(0.05 * 6 / (math.pi**2 * 10_000))
    levels = [level_of_look(0.05, look) for look in range(1, 100_001)]
    assert 0.0499 < sum(levels) < 0.05


def test_the_spent_share_is_that_of_the_levels_so_far() -> None:
    assert spent_share(0) == 0
    assert spent_share(3) == pytest.approx(sum(level_of_look(0.2, look) for look in (1, 2, 3)) / 0.2)


def test_a_look_before_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a look of at least 1, got 0"):
        level_of_look(0.05, 0)
