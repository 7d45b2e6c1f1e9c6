"""What a task calls its error rates, where the names differ from those of the metrics.

Where words are spelt by symbols (pronunciation), the literature's word error rate is the share of words that are wrong, 1 minus
``exact_match``. The metric ``wer`` then counts wrong symbols, which the literature calls the phone error rate.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

WORD_ERROR_RATE, SYMBOL_ERROR_RATE = "word_error_rate", "symbol_error_rate"
EXACT_MATCH, WER = "exact_match", "wer"


@dataclass(frozen=True)
class ErrorTerms:
    """The error rates that a task has names for.

    Attributes:
        names: of the rates that can be told, in order.
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, metrics: Collection[str]) -> ErrorTerms:
        """The rates that can be told from some metrics, for a task that spells words by symbols.

        Args:
            metrics: names of metrics.
        """
        wanted = {WORD_ERROR_RATE: EXACT_MATCH, SYMBOL_ERROR_RATE: WER}
        return cls(tuple(name for name, metric in wanted.items() if metric in metrics))

    def rates(self, scores: Mapping[str, float]) -> dict[str, float]:
        """The rates of a system, by name, each from 0 (no error) on.

        Args:
            scores: of the system, by metric.
        """
        known = {WORD_ERROR_RATE: 1.0 - scores[EXACT_MATCH]} if EXACT_MATCH in scores else {}
        known |= {SYMBOL_ERROR_RATE: scores[WER]} if WER in scores else {}
        return {name: known[name] for name in self.names if name in known}


def terms_of(figures: Mapping[str, object]) -> ErrorTerms | None:
    """The terms that an evaluation was told by; None: those of the metrics.

    Args:
        figures: the content of ``reports/evaluation/scores.json``.
    """
    own = figures.get("task")
    if not isinstance(own, dict):
        return None
    return ErrorTerms(tuple(name for name in own if name in (WORD_ERROR_RATE, SYMBOL_ERROR_RATE)))
