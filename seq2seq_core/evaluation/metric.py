"""What a metric is: one object in a file of its own in ``evaluation/metrics``, named ``METRIC``."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seq2seq_core.errors import UserError


@dataclass(frozen=True)
class ScoringOptions:
    """Settings that metrics read.

    Attributes:
        bleu_tokenizer: sacreBLEU's ``--tokenize``; only BLEU uses it.
    """

    bleu_tokenizer: str = "13a"


DEFAULT_OPTIONS = ScoringOptions()

CorpusScore = Callable[[Sequence[str], Sequence[str], ScoringOptions], float]
"""The score of hypotheses against as many references, at least one."""


@dataclass(frozen=True)
class Metric:
    """A score of hypotheses against references.

    Attributes:
        name: that of its file, in settings and reports.
        higher_is_better: whether a higher score is better.
        scale: 1 for fractions, 100 for percentages.
        compute: the score of a whole corpus.
        low: the lowest score that there is.
        high: the highest one; None: there is none.
        needs: the distribution that ``pip install`` brings, where it takes more than the core's; empty: none.
        signature: what must be stated with a score (Post 2018); None: nothing.
        is_slow: whether it is left out of validations, rewards, slices and baselines.
        sentence_score: the score of a single hypothesis against its reference, where that of a corpus of one is of no use.
    """

    name: str
    higher_is_better: bool
    scale: float
    compute: CorpusScore
    low: float = 0.0
    high: float | None = None
    needs: str = ""
    signature: Callable[[ScoringOptions], str] | None = None
    is_slow: bool = False
    sentence_score: Callable[[str, str], float] | None = None

    def reward(self, hypothesis: str, reference: str) -> float:
        """How good a sentence is: 1 for a perfect one, 0 for a useless one, below 0 for one with more errors than symbols.

        Args:
            hypothesis: a decoded text.
            reference: its reference.
        """
        if self.sentence_score is None:
            score = self.compute([hypothesis], [reference], DEFAULT_OPTIONS)
        else:
            score = self.sentence_score(hypothesis, reference)
        return score / self.scale if self.higher_is_better else 1.0 - score / self.scale

    def check_installed(self) -> None:
        """Returns when the package that the metric needs is there.

        Raises:
            UserError: it is not installed.
        """
        try:
            if self.needs:
                importlib.metadata.distribution(self.needs)
        except importlib.metadata.PackageNotFoundError:
            raise UserError(
                f"{self.name}: needs the package {self.needs}, which is not installed; run: pip install {self.needs}"
            ) from None
