"""Metrics: each is one object ``METRIC`` in its own file of ``evaluation/metrics``."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.row_scoring import RowScoring


@dataclass(frozen=True)
class ScoringOptions:
    """Settings that metrics read.

    Attributes:
        bleu_tokenizer: sacreBLEU's ``--tokenize``; only BLEU uses it.
        has_several_references: whether rows may have several references; signatures say so.
    """

    bleu_tokenizer: str = "13a"
    has_several_references: bool = False


DEFAULT_OPTIONS = ScoringOptions()

CorpusScore = Callable[[Sequence[str], Sequence[str], ScoringOptions], float]
"""The score of hypotheses against as many references, at least one; a reference may stand for several
(:class:`~seq2seq_core.evaluation.several_references.References`)."""
SentenceScore = Callable[[str, str, ScoringOptions], float]
"""The score of a hypothesis against its reference."""


@dataclass(frozen=True)
class Metric:
    """A score of hypotheses against references.

    Attributes:
        name: the name of its file, also in settings and reports.
        higher_is_better: whether a higher score is better.
        scale: 1 for fractions, 100 for percentages.
        compute: the score of a whole corpus.
        low: the lowest possible score.
        high: the highest possible score; None: unbounded.
        needs: the extra distribution to ``pip install``; empty: none.
        signature: the signature to report with a score (Post 2018); None: none.
        is_slow: whether it is left out of validations, rewards, slices and baselines.
        weighs_rows: whether the score of a row depends on the other rows, so that a sentence alone has none.
        sentence_score: the score of a single hypothesis; None: ``compute`` on a corpus of one.
        rows: the statistics of rows that give the corpus score, for intervals and tests; None: the score is the mean of the rows'.
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
    weighs_rows: bool = False
    sentence_score: SentenceScore | None = None
    rows: RowScoring | None = None

    @property
    def worst(self) -> float:
        """The score of useless hypotheses: of an unbounded error rate, as many errors as symbols."""
        if self.higher_is_better:
            return self.low
        return self.scale if self.high is None else self.high

    def is_at_worst(self, score: float) -> bool:
        """Whether a score says no more than that the hypotheses are useless.

        Args:
            score: a score by this metric.
        """
        return score <= self.worst if self.higher_is_better else score >= self.worst

    def reward(self, hypothesis: str, reference: str, options: ScoringOptions = DEFAULT_OPTIONS) -> float:
        """The reward of a sentence: 1 if perfect, 0 if useless, below 0 if it has more errors than symbols.

        Args:
            hypothesis: a decoded text.
            reference: its reference.
            options: settings that metrics read.
        """
        if self.sentence_score is None:
            score = self.compute([hypothesis], [reference], options)
        else:
            score = self.sentence_score(hypothesis, reference, options)
        return score / self.scale if self.higher_is_better else 1.0 - score / self.scale

    def check_installed(self) -> None:
        """Checks that the package that the metric needs is installed.

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
