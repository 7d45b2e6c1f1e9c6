"""The target of the nearest source of train, by edit distance: what a translation memory without a model answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from seq2seq_core.evaluation.trivial.asked import Asked

WORD_BITS = 64
"""Characters of a text that the comparison takes in one operation (Hyyrö 2003)."""
MOST_OPERATIONS = 2_000_000_000
"""Most operations of a search, some seconds of a core: characters of train times words of 64 characters of the test set."""


class NearestNeighbour:
    """Finds for each question the one of train with the same tags and the fewest edits between the sources.

    Among equally near ones the first of train counts, with its commonest target. A train set that is too large to be searched in
    bounded time is not kept, and there is no answer.

    Args:
        questions: of the test set.
    """

    def __init__(self, questions: Sequence[Asked]) -> None:
        self._questions = questions
        words = sum(-(-len(question[0]) // WORD_BITS) for question in dict.fromkeys(questions))
        self._room = MOST_OPERATIONS // max(1, words)
        self._train: dict[tuple[str, ...], dict[str, Counter[str]]] = {}

    def add(self, question: Asked, target: str) -> None:
        """Takes a pair of train."""
        if self._room < 0:
            return
        source, *tags = question
        known = self._train.setdefault(tuple(tags), {})
        if source not in known:
            self._room -= len(source)
            known[source] = Counter()
        known[source][target] += 1
        if self._room < 0:
            self._train = {}

    def answers(self) -> list[str] | None:
        """The answer to each question, empty where train has nothing with its tags; None: the search would take too long."""
        if self._room < 0:
            return None
        lists = {tags: list(known) for tags, known in self._train.items()}
        found = {question: self._find(question, lists) for question in dict.fromkeys(self._questions)}
        return [found[question] for question in self._questions]

    def _find(self, question: Asked, lists: dict[tuple[str, ...], list[str]]) -> str:
        source, *tags = question
        sources = lists.get(tuple(tags))
        if not sources:
            return ""
        nearest: str = process.extractOne(source, sources, scorer=Levenshtein.distance)[0]
        return self._train[tuple(tags)][nearest].most_common(1)[0][0]
