"""Grapheme to phoneme: the mean word error rate of five languages, compared with the shared task's."""

from __future__ import annotations

import numpy as np
import scipy.stats

from benchmarks.measured.figures import Figure
from benchmarks.measured.row import Outcomes, word_error
from benchmarks.measured.systems import System

G2P_PUBLISHED = {  # SIGMORPHON 2020 task 1, overview paper, tables 2 to 4: LSTM and Transformer baseline, best submission
    "fre": (6.22, 6.89, 5.11),
    "hun": (5.33, 5.33, 4.00),
    "hin": (6.67, 9.56, 5.11),
    "kor": (46.89, 43.78, 24.00),
    "gre": (18.89, 18.89, 14.44),
}
G2P_SYSTEMS = [System(f"g2p-{language}", "g2p.yaml", f"g2p2020_{language}") for language in G2P_PUBLISHED]
G2P_BAR = sum(lstm for lstm, _, _ in G2P_PUBLISHED.values()) / len(G2P_PUBLISHED)


def g2p_macro(outcomes: Outcomes) -> Figure:
    """The mean word error rate of the languages, with an interval from their binomial variances."""
    errors = [word_error(outcome).value for outcome in outcomes.values()]
    variances = [error * (100 - error) / len(outcome.references) for error, outcome in zip(errors, outcomes.values(), strict=True)]
    mean, half_width = float(np.mean(errors)), scipy.stats.norm.ppf(0.975) * np.sqrt(sum(variances)) / len(errors)
    return Figure(mean, mean - half_width, mean + half_width)


def g2p_details(outcomes: Outcomes) -> list[str]:
    """A line with the word error rate of each language."""
    lines = []
    for name, outcome in outcomes.items():
        lstm, transformer, best = G2P_PUBLISHED[name.removeprefix("g2p-")]
        error = word_error(outcome)
        interval = f"{error.value:.2f} ({error.low:.2f} to {error.high:.2f})"
        lines.append(f"{name}: WER {interval}; published LSTM {lstm}, Transformer {transformer}, best submission {best}")
    return lines
