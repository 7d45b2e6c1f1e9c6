"""Baselines that a model must beat: hypotheses without training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.evaluation.trivial.asked import Asked, asked
from seq2seq_core.evaluation.trivial.letter_symbols import LetterSymbols
from seq2seq_core.evaluation.trivial.nearest_neighbour import NearestNeighbour

COPY_SOURCE = "copy_source"
MEMORISE_ELSE_COPY = "memorise_else_copy"
MEMORISE_ELSE_MODEL = "memorise_else_model"
COMMONEST_TARGET = "commonest_target"
NEAREST_NEIGHBOUR = "nearest_neighbour"
NEAREST_PICTURE = "nearest_picture"
COMMONEST_SYMBOLS = "commonest_symbols"
NEAREST_PICTURE = "nearest_picture"


class Memory:
    """The commonest target in train of each question that the test set asks.

    Args:
        wanted: the questions of the test set; no other is kept.
    """

    def __init__(self, wanted: Iterable[Asked]) -> None:
        self._targets: dict[Asked, Counter[str]] = {question: Counter() for question in wanted}

    def add(self, question: Asked, target: str) -> None:
        """Counts a pair of train."""
        if question in self._targets:
            self._targets[question][target] += 1

    def answer(self, question: Asked) -> str | None:
        """The most frequent target, the earliest among equals; None: train lacks the question."""
        counts = self._targets[question]
        return counts.most_common(1)[0][0] if counts else None


@dataclass(frozen=True)
class Baselines:
    """The trivial systems on a test set.

    Attributes:
        texts: the hypotheses of each baseline, by name.
        known: for each pair of the test set the commonest target that train has for it; None: train lacks it.
        spells_symbols: whether the task is to spell words by symbols, as pronunciation is.
    """

    texts: dict[str, list[str]]
    known: list[str | None]
    spells_symbols: bool = False


def find_baselines(
    train: Iterable[Mapping[str, str]], pairs: Sequence[Mapping[str, str]], columns: Sequence[str], has_files: bool = False
) -> Baselines:
    """The hypotheses of the trivial baselines for the test set.

    Args:
        train: the pairs of train; read once.
        pairs: the pairs of the test set.
        columns: the columns that the model takes as tags: part of what it is asked, and of what is memorised.
        has_files: whether a side names recordings or pictures, which nothing can copy, compare or remember.
    """
    if has_files:
        return Baselines({COMMONEST_TARGET: commonest_target((pair[TARGET] for pair in train), len(pairs))}, [None] * len(pairs))
    questions = [asked(pair, columns) for pair in pairs]
    memory, nearest, letters = Memory(questions), NearestNeighbour(questions), LetterSymbols()
    for pair in train:
        question, target = asked(pair, columns), pair[TARGET]
        memory.add(question, target)
        nearest.add(question, target)
        letters.add(question[0], target)
    known = [memory.answer(question) for question in questions]
    sources = copy_source(pairs)
    texts = {COPY_SOURCE: sources, MEMORISE_ELSE_COPY: first_known(known, sources)}
    if (neighbours := nearest.answers()) is not None:
        texts[NEAREST_NEIGHBOUR] = first_known(known, neighbours)
    if letters.fits:
        texts[COMMONEST_SYMBOLS] = [letters.spell(source) for source in sources]
    return Baselines(texts, known, letters.fits)


def copy_source(pairs: Sequence[Mapping[str, str]]) -> list[str]:
    """Each source unchanged.

    Args:
        pairs: the pairs of the test set.
    """
    return [pair[SOURCE] for pair in pairs]


def first_known(known: Sequence[str | None], others: Sequence[str]) -> list[str]:
    """What is known for each pair of the test set, and something else where nothing is.

    Args:
        known: the target in train of each; None: there is none.
        others: the other text of each.
    """
    return [other if text is None else text for text, other in zip(known, others, strict=True)]


def commonest_target(targets: Iterable[str], num_pairs: int) -> list[str]:
    """For each pair of the test set the most frequent target of train (the earliest among equals).

    Args:
        targets: of train; read once.
        num_pairs: of the test set.
    """
    counts = Counter(targets)
    return [counts.most_common(1)[0][0] if counts else ""] * num_pairs
