"""Features of a decoded answer, and the confidence that a calibrator makes of them.

Every engine gives these features, and they do not depend on what else is in a batch. Both the probability p of the whole answer
and its geometric mean over the tokens count, each by log(p) and by log(1 - p), the two features of beta calibration (Kull and
others 2017, equation 3): with them probabilities near 0 and near 1 can be corrected each in its own way.
"""

from __future__ import annotations

import math
from dataclasses import replace

from seq2seq_core.bundle.stored_calibrator import FeatureName, StoredCalibrator
from seq2seq_core.decoding.prediction import TextHypothesis

LEAST_DOUBT = 0.01
"""Added to 1 - p before its logarithm: the last digits of p, which differ between engines, must not move the confidence."""
MOST_LOG_ODDS = 30.0


def answer_features(answer: TextHypothesis) -> dict[FeatureName, float]:
    """The features of an answer, by name.

    Args:
        answer: what a search decoded.
    """
    whole = answer.log_probability
    token = whole / answer.num_tokens
    return {
        "log_probability": whole,
        "doubt": _doubt(whole),
        "token_log_probability": token,
        "token_doubt": _doubt(token),
        "length": math.log(answer.num_tokens),
        "source_length": math.log(answer.num_source_tokens),
    }


def state_confidence(answer: TextHypothesis, calibrator: StoredCalibrator | None) -> TextHypothesis:
    """An answer with its confidence, the probability that it is right.

    Args:
        answer: the best hypothesis of beam search. Calibrators know no others, which are wrong more often.
        calibrator: of the bundle that decoded it; None: it has none, and the answer stays as it is.
    """
    if calibrator is None:
        return answer
    features = answer_features(answer)
    log_odds = calibrator.intercept + sum(weight * features[name] for name, weight in calibrator.weights.items())
    confidence = 1.0 / (1.0 + math.exp(-min(MOST_LOG_ODDS, max(-MOST_LOG_ODDS, log_odds))))
    return replace(answer, confidence=confidence)


def _doubt(log_probability: float) -> float:
    """The logarithm of what is left of a probability, bounded below."""
    return math.log(LEAST_DOUBT - math.expm1(min(0.0, log_probability)))
