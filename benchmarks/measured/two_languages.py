"""One model for two directions, compared with a single model for each."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.measured.figures import Figure
from benchmarks.measured.row import Judgement, Outcomes, bleu_of
from benchmarks.measured.systems import Outcome

BOTH, ES_EN, EN_DE = "two-languages", "eutrans-es-en", "multi30k-rnn"
MOST_LOST = 1.0
"""Maximum loss of BLEU of the common model against a single model."""


def _bleu_by_direction(outcomes: Outcomes) -> dict[str, tuple[Figure, Figure]]:
    """The BLEU of the common model and of the single model in each direction, by the single model's name."""
    both, singles = outcomes[BOTH], {"en": ES_EN, "de": EN_DE}
    return {single: (bleu_of(_rows_of(both, language)), bleu_of(outcomes[single])) for language, single in singles.items()}


def _rows_of(outcome: Outcome, language: str) -> Outcome:
    places = [place for place, found in enumerate(outcome.languages) if found == language]
    return replace(
        outcome,
        references=[outcome.references[place] for place in places],
        hypotheses=[outcome.hypotheses[place] for place in places],
    )


def judge_two_languages(outcomes: Outcomes) -> Judgement:
    """The larger loss of the two directions; its interval is that of the common model's BLEU on Multi30k."""
    bleus = _bleu_by_direction(outcomes)
    largest = max(alone.value - together.value for together, alone in bleus.values())
    half_width = bleus[EN_DE][0].high - bleus[EN_DE][0].value
    details = [
        f"{single}: {alone.value:.2f} alone, {together.value:.2f} in the model of both"
        for single, (together, alone) in bleus.items()
    ]
    return Judgement(Figure(largest, largest - half_width, largest + half_width), largest <= MOST_LOST, details)
