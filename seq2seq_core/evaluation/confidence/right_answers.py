"""The event whose probability a confidence is: that an answer is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seq2seq_core.config.decoding_options import AnswerEvent
from seq2seq_core.decoding.sentence_chrf import chrf
from seq2seq_core.evaluation.several_references import is_right, references_in

BoolArray = npt.NDArray[np.bool_]


def find_right(hypotheses: Sequence[str], references: Sequence[str], event: AnswerEvent, min_chrf: float) -> BoolArray:
    """Whether each answer is right, of shape (N,).

    Args:
        hypotheses: the answers.
        references: one for each.
        event: ``exact_match`` or ``chrf``.
        min_chrf: least sentence-level chrF of a right answer, where the event is ``chrf``.
    """
    pairs = zip(hypotheses, references, strict=True)
    if event == "exact_match":
        return np.array([is_right(hypothesis, reference) for hypothesis, reference in pairs], dtype=np.bool_)
    best = [max(chrf(hypothesis, one) for one in references_in(reference)) for hypothesis, reference in pairs]
    return np.array(best) >= min_chrf
