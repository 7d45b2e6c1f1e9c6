"""Scores of slices of the test set: by the length of the source (or target), and by the values of a column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seq2seq_core.evaluation.metric import DEFAULT_OPTIONS, ScoringOptions
from seq2seq_core.evaluation.scores import score

MAX_VALUES = 50
OTHER = "(other)"
EMPTY = "(empty)"
SOURCE_LENGTH, TARGET_LENGTH = "source_characters", "target_characters"


@dataclass(frozen=True)
class Slice:
    """The scores of one slice.

    Attributes:
        column: the column, or kind of length, that defines the slices.
        value: the value of this slice.
        count: the number of its pairs.
        scores: by metric.
    """

    column: str
    value: str
    count: int
    scores: dict[str, float]


def score_slices(
    column: str,
    values: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
    metrics: Sequence[str],
    options: ScoringOptions = DEFAULT_OPTIONS,
    options_by_value: Mapping[str, ScoringOptions] | None = None,
) -> list[Slice]:
    """The scores of each slice, in order: ranges of lengths by their start, others by name, ``(other)`` last.

    Args:
        column: the name of the values.
        values: one for each pair; pairs with equal values are a slice.
        hypotheses: one for each pair.
        references: one for each pair.
        metrics: see :func:`~seq2seq_core.evaluation.scores.score`.
        options: see there.
        options_by_value: options that replace ``options``, by value.
    """
    places: dict[str, list[int]] = {value: [] for value in dict.fromkeys(values)}
    for place, value in enumerate(values):
        places[value].append(place)
    others = options_by_value or {}
    return [
        Slice(
            column=column,
            value=value,
            count=len(part),
            scores=score(
                [hypotheses[place] for place in part],
                [references[place] for place in part],
                metrics,
                others.get(value, options),
            ),
        )
        for value, part in sorted(places.items(), key=lambda item: _sort_key(item[0]))
    ]


def group_rare(values: Sequence[str], max_values: int = MAX_VALUES) -> list[str]:
    """The values, rare ones replaced by ``(other)`` and empty ones by ``(empty)``; of equally frequent ones the first by name stay.

    Args:
        values: one for each pair.
        max_values: the number of most frequent values to keep.
    """
    named = [value or EMPTY for value in values]
    ranked = sorted(Counter(named).items(), key=lambda item: (-item[1], item[0]))
    kept = {value for value, _ in ranked[:max_values]}
    return [value if value in kept else OTHER for value in named]


def length_buckets(texts: Sequence[str]) -> list[str]:
    """The length range of each text, such as ``8-15``: the quarters of this test set, in characters.

    Args:
        texts: the sources (or targets) of the test set; at least one.
    """
    lengths = [len(text) for text in texts]
    ranked = sorted(lengths)
    ends = sorted(
        {ranked[(len(ranked) * quarter - 1) // 4] for quarter in (1, 2, 3, 4) if len(ranked) * quarter >= 4} | {ranked[-1]}
    )
    starts = [ranked[0], *(end + 1 for end in ends[:-1])]
    names = [f"{start}-{end}" if start != end else f"{end}" for start, end in zip(starts, ends, strict=True)]
    return [next(name for name, end in zip(names, ends, strict=True) if length <= end) for length in lengths]


def _sort_key(value: str) -> tuple[bool, int, str]:
    """Names of length ranges by their start, others by name, ``(other)`` last."""
    start = value.partition("-")[0]
    return value == OTHER, int(start) if start.isdecimal() and len(start) < 19 else 0, value
