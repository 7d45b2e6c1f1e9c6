"""Statistics of pairs: how alike their sides are, how often pairs and sources come again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from seq2seq_core.corpus_survey.texts.text_statistics import exceeded_by_few
from seq2seq_core.normal_form import is_blank

COMPARED_PAIRS = 400
"""Pairs whose sides are compared character by character."""
COMPARED_CHARACTERS = 500
"""Characters of each side that are compared."""

Pair = tuple[str, str]


@dataclass(frozen=True)
class PairStatistics:
    """The pairs of a corpus.

    Attributes:
        copies: share of pairs whose sides are equal.
        similarity: mean similarity of the two sides by characters, from 0 to 1.
        shared_words: overlap of the two sides' words, from 0 to 1: high where both are of one language.
        repeated: share of pairs that came before.
        conflicting: share of pairs whose source came before with another target.
        length_ratio: ratio of the longer to the shorter side, in characters, that one pair in a thousand exceeds.
        words_ratio: words of the target for a word of the source, that one pair in a thousand exceeds.
        characters_ratio: characters of the target for a character of the source, that one pair in a thousand exceeds.
    """

    copies: float
    similarity: float
    shared_words: float
    repeated: float
    conflicting: float
    length_ratio: float
    words_ratio: float
    characters_ratio: float


def describe_pairs(pairs: Sequence[Pair], repeated: float | None = None) -> PairStatistics:
    """The statistics of pairs.

    Args:
        pairs: a sample of them.
        repeated: share of pairs that came before, where it is known from more than the sample.
    """
    filled = [pair for pair in pairs if not any(map(is_blank, pair))]
    count = max(1, len(filled))
    compared = filled[:: max(1, len(filled) // COMPARED_PAIRS)]
    alike = [fuzz.ratio(source[:COMPARED_CHARACTERS], target[:COMPARED_CHARACTERS]) / 100 for source, target in compared]
    return PairStatistics(
        copies=sum(source == target for source, target in filled) / count,
        similarity=sum(alike) / max(1, len(alike)),
        shared_words=_shared_words(filled),
        repeated=1 - len(set(filled)) / count if repeated is None else repeated,
        conflicting=conflicting_share(filled),
        length_ratio=exceeded_by_few(
            [max(len(source), len(target)) / min(len(source), len(target)) for source, target in filled], 1.0
        ),
        words_ratio=exceeded_by_few([len(target.split()) / len(source.split()) for source, target in filled], 1.0),
        characters_ratio=exceeded_by_few([len(target) / len(source) for source, target in filled], 1.0),
    )


def conflicting_share(pairs: Sequence[Pair]) -> float:
    """The share of pairs whose source came before with another target first."""
    firsts: dict[str, str] = {}
    return sum(firsts.setdefault(source, target) != target for source, target in pairs) / max(1, len(pairs))


def tag_resolves(pairs: Sequence[Pair], values: Sequence[str]) -> bool:
    """Whether a column tells apart the targets of a source: with its value the conflicts fall to less than a half.

    Args:
        pairs: the pairs.
        values: of the column, one a pair.
    """
    without = conflicting_share(pairs)
    by_value: dict[str, list[Pair]] = defaultdict(list)
    for pair, value in zip(pairs, values, strict=True):
        by_value[value].append(pair)
    left = sum(conflicting_share(own) * len(own) for own in by_value.values()) / max(1, len(pairs))
    return without >= 0.02 and left < without / 2


def _shared_words(pairs: Sequence[Pair]) -> float:
    """The common mass of the two sides' distributions of words, of those with a letter."""
    counts = [Counter[str](), Counter[str]()]
    for pair in pairs:
        for side, text in zip(counts, pair, strict=True):
            side.update(word for word in text.casefold().split() if any(map(str.isalpha, word)))
    totals = [max(1, side.total()) for side in counts]
    return sum(min(count / totals[0], counts[1][word] / totals[1]) for word, count in counts[0].items())
