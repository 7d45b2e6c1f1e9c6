"""Abstention: an answer whose confidence is below a threshold is withheld."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seq2seq_core.bundle.stored_calibrator import StoredCalibrator
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.errors import UserError


def check_threshold(options: DecodingOptions, calibrator: StoredCalibrator | None) -> None:
    """Refuses a threshold for a model without confidences.

    Args:
        options: have the threshold.
        calibrator: the model's; None: it has none.

    Raises:
        UserError: the threshold is above 0, and there is no calibrator.
    """
    if options.min_confidence and calibrator is None:
        raise UserError(
            "min_confidence: must be 0 with this model, which has no calibrator (it was exported without "
            "evaluate.confidence_event, with too few right or wrong answers on dev, or by an older release), "
            f"got {options.min_confidence:g}"
        )


def withhold(predictions: Sequence[Prediction], min_confidence: float) -> list[Prediction]:
    """The predictions, those of a lower confidence without text and hypotheses.

    A withheld prediction has one empty hypothesis, which keeps the scores of the best. So has one without a confidence: that of a
    source without text, which nothing decodes.

    Args:
        predictions: of a model with a calibrator.
        min_confidence: the threshold; 0: nothing is withheld.
    """
    return [one if _is_certain(one, min_confidence) else _empty(one) for one in predictions]


def _is_certain(prediction: Prediction, min_confidence: float) -> bool:
    if min_confidence == 0.0:
        return True
    return prediction.confidence is not None and prediction.confidence >= min_confidence


def _empty(prediction: Prediction) -> Prediction:
    return Prediction((replace(prediction.hypotheses[0], text="", alignment=None, abstained=True),))
