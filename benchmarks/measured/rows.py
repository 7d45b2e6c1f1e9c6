"""The rows of the quality table: which systems, which figure of theirs, and the bar that it has to reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.stats

from benchmarks.measured.figures import Comparison, Figure, bleu, exact, share, symbol_edits
from benchmarks.measured.systems import Outcome, System

Outcomes = Mapping[str, Outcome]
"""What each system of a row said, by the system's name."""


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
        measure: the figure of one seed.
        is_met: whether the figure of one seed reaches the bar.
        details: further lines about one seed.
    """

    name: str
    title: str
    systems: Sequence[System]
    unit: str
    published: str
    bar: str
    measure: Callable[[Outcomes], Figure]
    is_met: Callable[[float, Outcomes], bool]
    details: Callable[[Outcomes], list[str]] = field(default=lambda _: [])


def _accuracy(outcome: Outcome) -> Figure:
    return share(exact(outcome.hypotheses, outcome.references))


def _word_error(outcome: Outcome) -> Figure:
    """The share of words with any fault, which the shared task calls WER."""
    right = _accuracy(outcome)
    return Figure(100 - right.value, 100 - right.high, 100 - right.low)


def _only(outcomes: Outcomes) -> Outcome:
    (outcome,) = outcomes.values()
    return outcome


# --- grapheme to phoneme ---------------------------------------------------------------------------------------------

G2P_PUBLISHED = {  # SIGMORPHON 2020 task 1, overview paper, tables 2 to 4: LSTM and Transformer baseline, best submission
    "fre": (6.22, 6.89, 5.11),
    "hun": (5.33, 5.33, 4.00),
    "hin": (6.67, 9.56, 5.11),
    "kor": (46.89, 43.78, 24.00),
    "gre": (18.89, 18.89, 14.44),
}
G2P_SYSTEMS = [System(f"g2p-{language}", "g2p.yaml", f"g2p2020_{language}") for language in G2P_PUBLISHED]
G2P_BAR = sum(lstm for lstm, _, _ in G2P_PUBLISHED.values()) / len(G2P_PUBLISHED)


def _g2p_macro(outcomes: Outcomes) -> Figure:
    """The mean of the languages' word error rates; its interval from their binomial variances."""
    errors = [_word_error(outcome).value for outcome in outcomes.values()]
    variances = [error * (100 - error) / len(outcome.references) for error, outcome in zip(errors, outcomes.values(), strict=True)]
    mean, half_width = float(np.mean(errors)), scipy.stats.norm.ppf(0.975) * np.sqrt(sum(variances)) / len(errors)
    return Figure(mean, mean - half_width, mean + half_width)


def _g2p_details(outcomes: Outcomes) -> list[str]:
    lines = []
    for name, outcome in outcomes.items():
        lstm, transformer, best = G2P_PUBLISHED[name.removeprefix("g2p-")]
        error = _word_error(outcome)
        interval = f"{error.value:.2f} ({error.low:.2f} to {error.high:.2f})"
        lines.append(f"{name}: WER {interval}; published LSTM {lstm}, Transformer {transformer}, best submission {best}")
    return lines


# --- semantic parsing ------------------------------------------------------------------------------------------------


def _exact_row(name: str, title: str, system: System, published: str, bar: str, is_met: Callable[[float], bool]) -> Row:
    return Row(
        name, title, [system], "exact match, %", published, bar, lambda outcomes: _accuracy(_only(outcomes)),
        lambda value, _: is_met(value),
    )  # fmt: skip


# --- transliteration -------------------------------------------------------------------------------------------------


def _is_among(outcome: Outcome, count: int) -> list[bool]:
    pairs = zip(outcome.nbest, outcome.references, strict=True)
    return [reference in hypotheses[:count] for hypotheses, reference in pairs]


def _three_best(outcomes: Outcomes) -> float:
    return share(_is_among(_only(outcomes), 3)).value


# --- translation -----------------------------------------------------------------------------------------------------


def _bleu(outcome: Outcome) -> Figure:
    return bleu(outcome.hypotheses, outcome.references, "none")


def _bleu_row(name: str, title: str, system: System, published: str, bar: float) -> Row:
    return Row(
        name, title, [system], "BLEU (tokenize none)", published, f"≥ {bar:g}", lambda outcomes: _bleu(_only(outcomes)),
        lambda value, _: value >= bar,
        lambda outcomes: [f"trained in {_only(outcomes).seconds:,.0f} s; {_only(outcomes).parameters:,} weights"],
    )  # fmt: skip


# --- reinforcement ---------------------------------------------------------------------------------------------------


def _symbol_accuracies(outcome: Outcome) -> list[float]:
    """1 minus the symbol error rate of each sentence."""
    edits, lengths = symbol_edits(outcome.hypotheses, outcome.references)
    return list(1 - edits / np.maximum(lengths, 1))


def _character_accuracies(outcome: Outcome) -> list[float]:
    spaced = [[" ".join(text.replace(" ", "▁")) for text in texts] for texts in (outcome.hypotheses, outcome.references)]
    edits, lengths = symbol_edits(*spaced)
    return list(1 - edits / np.maximum(lengths, 1))


def _describe(name: str, comparison: Comparison) -> str:
    return f"{name} {comparison.difference:+.4f} (p = {comparison.p_value:.4f})"


# --- the table -------------------------------------------------------------------------------------------------------

SCAN_SIMPLE = System("scan-simple", "scan.yaml", "scan_simple")
SCAN_LENGTH = System("scan-length", "scan.yaml", "scan_length")
COGS = System("cogs", "cogs.yaml", "cogs")
TRANSLITERATION = System("translit-en-ru", "transliteration.yaml", "wikidata_translit_en_ru", nbest=3)
MULTI30K_RNN = System("multi30k-rnn", "multi30k_en_de_rnn.yaml", "multi30k_en_de_tok")
MULTI30K_TRANSFORMER = System("multi30k-transformer", "multi30k_en_de.yaml", "multi30k_en_de_tok")

ROWS = [
    Row(
        "g2p", "grapheme to phoneme, SIGMORPHON 2020, mean of fre hun hin kor gre, one model each", G2P_SYSTEMS, "WER, %",
        f"LSTM {G2P_BAR:.2f} (overview paper, tables 2 to 4)", f"≤ {G2P_BAR:.2f}", _g2p_macro,
        lambda value, _: value <= G2P_BAR, _g2p_details,
    ),
    _exact_row(
        "scan-simple", "SCAN, simple split", SCAN_SIMPLE, "≥ 99 (Lake and Baroni 2018: 99.8)", "≥ 99", lambda value: value >= 99
    ),
    _exact_row(
        "scan-length", "SCAN, length split", SCAN_LENGTH, "10 to 25 for plain models (Lake and Baroni 2018: 13.8 to 20.8)",
        "10 to 25: much more would be a leak", lambda value: 10 <= value <= 25,
    ),
    _exact_row("cogs", "COGS, in distribution", COGS, "96 to 99 (Kim and Linzen 2020)", "≥ 96", lambda value: value >= 96),
    Row(
        "translit", "transliteration of names, English to Russian", [TRANSLITERATION], "1-best accuracy, %",
        "60 1-best, 75 3-best (README of the corpus)", "≥ 60 and 3-best ≥ 75", lambda outcomes: _accuracy(_only(outcomes)),
        lambda value, outcomes: value >= 60 and _three_best(outcomes) >= 75,
        lambda outcomes: [f"3-best accuracy {_three_best(outcomes):.2f}"],
    ),
    _bleu_row(
        "multi30k-rnn", "Multi30k English to German, test 2016, recurrent with attention", MULTI30K_RNN,
        "38.1 ± 0.8, quoted for a text-only recurrent system", 36.0,
    ),
    _bleu_row(
        "multi30k-transformer", "Multi30k English to German, test 2016, Transformer-Tiny", MULTI30K_TRANSFORMER,
        "41.02 (Transformer-Tiny, LividWo/Revisit-MMT)", 40.0,
    ),
]  # fmt: skip
