"""Predictions of sources: texts, scores and alignments.

Shapes: S source length, T target length, both with their end mark.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Alignment(NamedTuple):
    """Attention between the pieces of a source and of a target.

    Attributes:
        source_pieces: readable pieces of the source, the end mark included.
        target_pieces: the same for the target.
        weights_TS: float32; each row sums to 1.
    """

    source_pieces: list[str]
    target_pieces: list[str]
    weights_TS: NDArray[np.float32]


@dataclass(frozen=True)
class TextHypothesis:
    """A hypothesis as text.

    Attributes:
        text: the target text.
        score: the ranking score, see :class:`~seq2seq_core.decoding.hypothesis.Hypothesis`; by minimum Bayes risk the expected
            chrF, from 0 to 100.
        log_probability: natural logarithm of the hypothesis's probability.
        alignment: if requested and the model has attention.
        is_cut: whether the length limit ended it; the text then probably lacks its end.
        source_is_cut: whether its source was too long, so that the model read a part of it only.
        num_tokens: its tokens, tags and end mark included; 0: nothing was decoded.
        num_source_tokens: the tokens or frames of its source, tags and end mark included; 0 likewise.
        confidence: the calibrated probability that it is right, of the best hypothesis of beam search by a bundle with a
            calibrator; None: unknown.
        abstained: whether the text is withheld, because the confidence is below ``min_confidence``.
        from_lexicon: whether it is what train has, and the model was not asked.
    """

    text: str
    score: float
    log_probability: float
    alignment: Alignment | None = field(default=None, compare=False, repr=False)
    is_cut: bool = False
    num_tokens: int = 0
    num_source_tokens: int = 0
    confidence: float | None = None
    abstained: bool = False
    source_is_cut: bool = False
    from_lexicon: bool = False


@dataclass(frozen=True)
class Prediction:
    """The prediction of one source.

    Attributes:
        hypotheses: best first, or in the order drawn; at least one, at most ``num_hypotheses``.
    """

    hypotheses: tuple[TextHypothesis, ...]

    @property
    def text(self) -> str:
        """The first hypothesis's text."""
        return self.hypotheses[0].text

    @property
    def score(self) -> float:
        """The first hypothesis's score."""
        return self.hypotheses[0].score

    @property
    def log_probability(self) -> float:
        """Natural logarithm of the first hypothesis's probability."""
        return self.hypotheses[0].log_probability

    @property
    def is_cut(self) -> bool:
        """Whether the length limit ended the first hypothesis."""
        return self.hypotheses[0].is_cut

    @property
    def source_is_cut(self) -> bool:
        """Whether the source was too long, so that the model read a part of it only."""
        return self.hypotheses[0].source_is_cut

    @property
    def confidence(self) -> float | None:
        """The calibrated probability that the first hypothesis is right; None: unknown."""
        return self.hypotheses[0].confidence

    @property
    def from_lexicon(self) -> bool:
        """Whether the first hypothesis is what train has, and the model was not asked."""
        return self.hypotheses[0].from_lexicon

    @property
    def abstained(self) -> bool:
        """Whether the answer is withheld, because its confidence is below ``min_confidence``."""
        return self.hypotheses[0].abstained
