"""A row of the quality table, and the figures that most rows need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measured.figures import Figure, bleu, exact, share
from benchmarks.measured.systems import Outcome, System

SIGNIFICANT = 0.05
"""The p-value below which a difference counts."""
Outcomes = Mapping[str, Outcome]
"""What each system of a row said, by the system's name."""


@dataclass(frozen=True)
class Judgement:
    """What a row says of one seed.

    Attributes:
        figure: the row's.
        is_met: whether the bar is reached.
        details: further lines.
    """

    figure: Figure
    is_met: bool
    details: Sequence[str] = ()


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: by which it is asked for.
        title: in the table.
        systems: what has to be trained.
        unit: of the figure.
        published: the figure of others, with its source.
        bar: the figure to reach, in words.
        judge: what is to be said of one seed.
    """

    name: str
    title: str
    systems: Sequence[System]
    unit: str
    published: str
    bar: str
    judge: Callable[[Outcomes], Judgement]


def by_figure(
    measure: Callable[[Outcomes], Figure],
    is_met: Callable[[float], bool],
    details: Callable[[Outcomes], list[str]] = lambda _: [],
) -> Callable[[Outcomes], Judgement]:
    """What judges a row by its figure alone.

    Args:
        measure: the figure.
        is_met: whether it reaches the bar.
        details: further lines.
    """

    def judge(outcomes: Outcomes) -> Judgement:
        figure = measure(outcomes)
        return Judgement(figure, is_met(figure.value), details(outcomes))

    return judge


def accuracy(outcome: Outcome) -> Figure:
    """The share of hypotheses that are their reference, in percent."""
    return share(exact(outcome.hypotheses, outcome.references))


def word_error(outcome: Outcome) -> Figure:
    """The share of words with any fault, which the shared task calls WER."""
    right = accuracy(outcome)
    return Figure(100 - right.value, 100 - right.high, 100 - right.low)


def only(outcomes: Outcomes) -> Outcome:
    """The outcome of a row with one system."""
    (outcome,) = outcomes.values()
    return outcome


def bleu_of(outcome: Outcome, tokenizer: str = "none") -> Figure:
    """The BLEU of the hypotheses, which are scored as they are tokenised unless sacreBLEU's ``--tokenize`` is said."""
    return bleu(outcome.hypotheses, outcome.references, tokenizer)
