"""chrF between two texts, fast enough for all pairs of a source's samples and for the reward of each.

It equals sacreBLEU's sentence-level chrF (a test checks that). sacreBLEU takes ten times as long, because it counts both texts
again for each pair. Besides, the served model does not need sacreBLEU.
"""

from __future__ import annotations

from functools import lru_cache

MAX_ORDER = 6
BETA_SQUARED = 4.0
"""Recall counts twice as much as precision (chrF2, Popović 2016)."""

NGrams = tuple[frozenset[str], ...]


def chrf(hypothesis: str, reference: str) -> float:
    """The chrF of a hypothesis against a reference, from 0 to 100 (Popović 2015, equation 1).

    Precision and recall are means over the orders that both texts have; white space does not count. Equal texts get 100, even if
    they have no n-gram.

    Args:
        hypothesis: the text to score.
        reference: the text to compare with.
    """
    if hypothesis == reference:
        return 100.0
    precision = recall = 0.0
    orders = 0
    for ours, theirs in zip(count_ngrams(hypothesis), count_ngrams(reference), strict=False):
        matches = len(ours & theirs)
        precision += matches / len(ours)
        recall += matches / len(theirs)
        orders += 1
    if precision + recall == 0.0:
        return 0.0
    precision, recall = precision / orders, recall / orders
    return 100.0 * (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)


@lru_cache(maxsize=8192)
def count_ngrams(text: str) -> NGrams:
    """For each order up to 6 that the text has, its character n-grams, each with the number of its occurrence.

    The first "ab" is "ab 0", the second "ab 1": so the intersection of two sets has as many members as the texts have n-grams in
    common.

    Args:
        text: any text; its white space is left out.
    """
    characters = "".join(text.split())
    return tuple(_number(characters, order) for order in range(1, min(MAX_ORDER, len(characters)) + 1))


def _number(characters: str, order: int) -> frozenset[str]:
    seen: dict[str, int] = {}
    numbered = []
    for start in range(len(characters) - order + 1):
        ngram = characters[start : start + order]
        seen[ngram] = seen.get(ngram, -1) + 1
        numbered.append(f"{ngram} {seen[ngram]}")
    return frozenset(numbered)
