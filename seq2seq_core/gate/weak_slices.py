"""Weak slices found automatically: where a model is worse than on the rest, among all labels and pairs of labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, ndtr

from seq2seq_core.evaluation.row_scoring import FloatArray
from seq2seq_core.gate.scored_rows import ScoredRows
from seq2seq_core.gate.slice_comparison import Labels, Mask, holm, rows_of_slices


@dataclass(frozen=True)
class WeakSlice:
    """A slice on which a model is worse than on the other rows.

    Attributes:
        names: ``column=label``, one or two.
        num_rows: the number of its rows.
        score: the score on it.
        p_value: against "no worse than any rows", adjusted for the number of slices that were tried.
    """

    names: tuple[str, ...]
    num_rows: int
    score: float
    p_value: float


def find_weak_slices(system: ScoredRows, labels: Labels, min_rows: int, level: float) -> list[WeakSlice]:
    """The weak slices, the most certain first; a slice that is weak only by rows of those before it is left out.

    The rows of a slice are compared with as many rows drawn without replacement: exactly for right-or-wrong rows, else by the
    normal approximation.

    Args:
        system: the model on the test set.
        labels: of the rows, by column.
        min_rows: slices with fewer rows are left out.
        level: the chance to call any slice weak where none is.
    """
    candidates = dict(_candidates(labels, min_rows))
    adjusted = holm([_p_value(system, rows) for rows in candidates.values()])
    ranked = sorted(zip(adjusted, candidates.items(), strict=True), key=lambda entry: (entry[0], entry[1][0]))
    found: list[WeakSlice] = []
    unexplained = np.ones(system.num_rows, dtype=np.bool_)
    for p_value, (names, rows) in ranked:
        rest = rows & unexplained
        if p_value > level or rest.sum() < min_rows:
            continue
        if len(candidates) * _p_value(system.part(unexplained), rest[unexplained]) <= level:
            found.append(WeakSlice(names, int(rows.sum()), system.part(rows).score, p_value))
            unexplained &= ~rows
    return found


def _candidates(labels: Labels, min_rows: int) -> Iterator[tuple[tuple[str, ...], Mask]]:
    """Slices of one label, and of two labels of different columns, that have enough rows and leave as many."""
    singles = rows_of_slices(labels, min_rows)
    pairs = {
        (first, second): singles[first] & singles[second]
        for first, second in combinations(singles, 2)
        if not (singles[first] & singles[second] == singles[first]).all() and first.partition("=")[0] != second.partition("=")[0]
    }
    for names, rows in [*(((name,), rows) for name, rows in singles.items()), *pairs.items()]:
        if min_rows <= rows.sum() <= len(rows) - min_rows:
            yield names, rows


def _p_value(system: ScoredRows, rows: Mask) -> float:
    """How often as many rows drawn at random are as bad."""
    count, total = int(rows.sum()), len(rows)
    if system.is_binary:
        right = system.statistics[:, 0]
        return _chance_of_at_most(int(right[rows].sum()), total, int(right.sum()), count)
    quality = system.direction * system.influence()
    error = quality.std(ddof=1) * np.sqrt((1 / count) * (1 - count / total))
    return float(ndtr((quality[rows].mean() - quality.mean()) / error)) if error > 0 else 1.0


def _chance_of_at_most(few: int, num_rows: int, num_right: int, drawn: int) -> float:
    """The chance of at most some right rows among rows drawn without replacement (hypergeometric)."""
    right = np.arange(max(0, drawn - (num_rows - num_right)), few + 1)
    ways = _log_choose(num_right, right) + _log_choose(num_rows - num_right, drawn - right) - _log_choose(num_rows, drawn)
    return min(1.0, float(np.exp(ways).sum()))


def _log_choose(total: int, chosen: npt.NDArray[np.int64] | int) -> FloatArray:
    """The logarithm of the number of ways to choose some of a total."""
    return np.asarray(-betaln(total - chosen + 1, np.add(chosen, 1)) - np.log1p(total))
