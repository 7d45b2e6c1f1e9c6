from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from seq2seq_core.drift.effects import effect_size


def test_shares_are_compared_by_the_jensen_shannon_distance() -> None:
    old, new = np.array([[5, 3, 2], [1, 1, 0], [7, 7, 7]]), np.array([[1, 1, 8], [0, 0, 9], [1, 1, 1]])
    found = effect_size("shares", old, new)
    expected = [jensenshannon(*pair, base=2) for pair in zip(old, new, strict=True)]
    assert found.tolist() == pytest.approx([expected[0], 1.0, 0.0], abs=1e-9)


def test_numbers_are_compared_by_the_largest_difference_of_their_cumulative_shares() -> None:
    assert effect_size("numbers", np.array([2, 2, 0]), np.array([0, 2, 2])) == pytest.approx(0.5)
    assert effect_size("numbers", np.array([2, 0, 2]), np.array([0, 4, 0])) == pytest.approx(0.5)
    assert effect_size("numbers", np.array([1, 0, 0]), np.array([0, 0, 9])) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["shares", "numbers"])
def test_nothing_has_nothing_in_common_with_something(kind: str) -> None:
    nothing, something = np.zeros(2), np.array([1.0, 2.0])
    assert effect_size(kind, nothing, something) == 1.0  # type: ignore[arg-type]
    assert effect_size(kind, nothing, nothing) == 0.0  # type: ignore[arg-type]
