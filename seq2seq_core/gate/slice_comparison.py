"""Champion and challenger on slices of the test set, with p-values that allow for the number of slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.gate.paired_comparison import Effort, PairedComparison, compare
from seq2seq_core.gate.scored_rows import ScoredRows

Mask = npt.NDArray[np.bool_]
Labels = Mapping[str, Sequence[str]]
"""By column, the label of each row."""


@dataclass(frozen=True)
class SliceComparison:
    """The comparison on one slice.

    Attributes:
        name: ``column=label``.
        comparison: champion and challenger on its rows.
        p_worse: against "the challenger is no worse here", adjusted for the number of slices.
        p_better: against "the challenger is no better here", adjusted likewise.
    """

    name: str
    comparison: PairedComparison
    p_worse: float
    p_better: float


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number (Holm 1979): those at most alpha are all true with probability 1 - alpha.

    Args:
        p_values: of any tests, dependent or not.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def rows_of_slices(labels: Labels, min_rows: int) -> dict[str, Mask]:
    """The rows of each slice as a mask, by ``column=label``; a column with one label cuts nothing.

    Args:
        labels: of the rows, by column.
        min_rows: slices with fewer rows are left out.
    """
    found: dict[str, Mask] = {}
    for column, values in labels.items():
        array = np.asarray(values)
        names, counts = np.unique(array, return_counts=True)
        if len(names) > 1:
            found |= {f"{column}={name}": array == name for name, count in zip(names, counts, strict=True) if count >= min_rows}
    return found


def compare_slices(
    champion: ScoredRows, challenger: ScoredRows, labels: Labels, min_rows: int, level: float, effort: Effort
) -> list[SliceComparison]:
    """The comparison on every slice that has enough rows.

    Args:
        champion: the champion.
        challenger: the challenger on the same rows.
        labels: of the rows, by column.
        min_rows: slices with fewer rows are left out.
        level: the level for all slices together.
        effort: the number of random draws.
    """
    slices = rows_of_slices(labels, min_rows)
    each = level / max(1, len(slices))
    found = [compare(champion.part(rows), challenger.part(rows), each, effort=effort) for rows in slices.values()]
    worse, better = holm([one.p_worse for one in found]), holm([one.p_better for one in found])
    return [SliceComparison(*entry) for entry in zip(slices, found, worse, better, strict=True)]
