"""A row of the quality table, and the scores of most rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measured.figures import Figure, bleu, exact, share
from benchmarks.measured.systems import Outcome, System

SIGNIFICANT = 0.05
"""The p-value below which a difference counts."""
Outcomes = Mapping[str, Outcome]
"""The outcomes of a row's systems, by system name."""


@dataclass(frozen=True)
class Judgement:
    """The result of a row with one seed.

    Attributes:
        figure: the score.
        is_met: whether the score reaches the bar.
        details: further lines.
    """

    figure: Figure
    is_met: bool
    details: Sequence[str] = ()


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        name: the row's name on the command line.
        title: the row's title in the table.
        systems: the systems to train.
        unit: the unit of the figure.
        published: the published figure, with its source.
        bar: the figure to reach, in words.
        judge: judges the outcomes of one seed.
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
    """A ``judge`` that uses only the row's figure.

    Args:
        measure: computes the figure.
        is_met: whether a value reaches the bar.
        details: computes further lines.
    """

    def judge(outcomes: Outcomes) -> Judgement:
        figure = measure(outcomes)
        return Judgement(figure, is_met(figure.value), details(outcomes))

    return judge


def accuracy(outcome: Outcome) -> Figure:
    """The share of hypotheses that equal their reference, in percent."""
    return share(exact(outcome.hypotheses, outcome.references))


def word_error(outcome: Outcome) -> Figure:
    """The share of words with an error, in percent, which the shared task calls WER."""
    right = accuracy(outcome)
    return Figure(100 - right.value, 100 - right.high, 100 - right.low)


def only(outcomes: Outcomes) -> Outcome:
    """The only outcome of a row with one system."""
    (outcome,) = outcomes.values()
    return outcome


def bleu_of(outcome: Outcome, tokenizer: str = "none") -> Figure:
    """The BLEU of the hypotheses; by default sacreBLEU does not tokenise them (``--tokenize none``)."""
    return bleu(outcome.hypotheses, outcome.references, tokenizer)
