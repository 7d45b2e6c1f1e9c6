"""The calibrator of a bundle, fitted on what it answers to dev."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2seq_core.bundle.stored_calibrator import StoredCalibrator
from seq2seq_core.config.decoding_options import AnswerEvent
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.decoding.confidence.answer_features import answer_features, state_confidence
from seq2seq_core.decoding.prediction import TextHypothesis
from seq2seq_core.evaluation.confidence.logistic_fit import fit_logistic
from seq2seq_core.evaluation.confidence.promised_errors import make_promises
from seq2seq_core.evaluation.confidence.right_answers import find_right
from seq2seq_core.evaluation.scored_pairs import read_scored

logger = logging.getLogger(__name__)

MIN_ROWS = 50
MIN_OF_EACH = 10
"""Fewest right and fewest wrong answers. Fewer do not show which features go with an error: the confidence would be a constant."""
SIGNIFICANT_DIGITS = 4
"""Later digits differ between machines, and nothing that a stage writes may."""
CONSEQUENCE = "calibrate a confidence: answers will have none, and min_confidence is refused"
ADVICE: dict[tuple[AnswerEvent, str], str] = {
    ("exact_match", "wrong"): "a larger or harder dev set helps",
    ("exact_match", "right"): "a larger dev set, a better model, or evaluate.confidence_event: chrf helps",
    ("chrf", "wrong"): "a larger or harder dev set, or a higher evaluate.confidence_chrf helps",
    ("chrf", "right"): "a larger dev set, a better model, or a lower evaluate.confidence_chrf helps",
}
"""What gives more answers of the rarer kind, by event."""


def read_dev(path: Path, section: EvaluateSection) -> list[dict[str, str]]:
    """The pairs of dev that a calibrator is fitted on; none, with a warning, if they are too few.

    Args:
        path: the prepared file.
        section: ``references`` and ``confidence_rows``.
    """
    pairs = read_scored(path, section, section.confidence_rows) if path.is_file() else []
    if len(pairs) >= MIN_ROWS:
        return pairs
    logger.warning("%s: %d pairs, expected at least %d to %s", path, len(pairs), MIN_ROWS, CONSEQUENCE)
    return []


def fit_calibrator(
    answers: Sequence[TextHypothesis], references: Sequence[str], event: AnswerEvent, min_chrf: float
) -> StoredCalibrator | None:
    """The calibrator of a model, with the thresholds that its confidences allow to promise.

    None, with a warning, where too little was decoded, or too few answers are right or wrong.

    Args:
        answers: to dev, the best of each source.
        references: one for each.
        event: what a right answer is.
        min_chrf: least sentence-level chrF of a right answer, where the event is ``chrf``.
    """
    places = [place for place, answer in enumerate(answers) if answer.num_tokens]
    if len(places) < MIN_ROWS:
        logger.warning("%d pairs of dev have a source with text, expected at least %d to %s", len(places), MIN_ROWS, CONSEQUENCE)
        return None
    decoded = [answers[place] for place in places]
    right_N = find_right([one.text for one in decoded], [references[place] for place in places], event, min_chrf)
    if fault := _class_fault(int(right_N.sum()), len(right_N), event):
        logger.warning("%s", fault)
        return None
    features = [answer_features(one) for one in decoded]
    names = list(features[0])
    intercept, weights = fit_logistic(np.array([[row[name] for name in names] for row in features]), right_N)
    fitted = StoredCalibrator(
        event=event,
        min_chrf=min_chrf if event == "chrf" else 0.0,
        intercept=_rounded(intercept),
        weights={name: _rounded(float(weight)) for name, weight in zip(names, weights, strict=True)},
        rows=len(right_N),
        right=int(right_N.sum()),
        promises=[],
    )
    confidences = [state_confidence(one, fitted).confidence for one in decoded]
    return fitted.model_copy(update={"promises": make_promises(np.array(confidences, dtype=np.float64), right_N)})


def _class_fault(num_right: int, num_rows: int, event: AnswerEvent) -> str:
    """Why answers do not show when the model errs, and what would help; empty: they do."""
    count, kind = min((num_right, "right"), (num_rows - num_right, "wrong"))
    if count >= MIN_OF_EACH:
        return ""
    reason = f"dev: {count} of {num_rows} answers are {kind}, expected at least {MIN_OF_EACH} right and {MIN_OF_EACH} wrong ones"
    return f"{reason} to {CONSEQUENCE}; {ADVICE[event, kind]}"


def _rounded(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
