"""What ``evaluate`` says on the console of a bundle and its outputs that their scores do not show."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from seq2seq_core.config.decoding_options import QUANTIZED_TYPES
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.corpus.pairs import TARGET
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.evaluation.evaluator import Evaluation
from seq2seq_core.evaluation.several_references import put_together, references_in

logger = logging.getLogger(__name__)
TOLD_SHARE = 0.05
"""From this share of rows with a further reference on, they are told of."""


def warn_of_other_settings(predictor: Predictor, section: EvaluateSection, served: Path) -> None:
    """Warns if the served bundle was exported with other decoding options, for another engine, or for another event.

    Args:
        predictor: of the served bundle.
        section: the settings of this evaluation.
        served: the bundle's folder, which a warning names.
    """
    if predictor.options != section.decoding:
        logger.warning(
            "the decoding options are those of %s, not those of the section evaluate; `s2s export` brings them there", served
        )
    engine = predictor.bundle.engine
    found = ("torch", "float32") if engine is None else (engine.name, engine.compute_type)
    # By auto, PyTorch decodes at float32 where it lacks the type that is asked for.
    is_given = engine is None and section.compute_type not in QUANTIZED_TYPES
    if section.engine not in ("auto", found[0]) or (section.compute_type != found[1] and not is_given):
        logger.warning(
            "the engine is that of %s (%s at %s), not that of the section evaluate; `s2s export` brings it there", served, *found
        )
    if (fitted := predictor.bundle.calibrator) is not None:
        min_chrf = section.confidence_chrf if section.confidence_event == "chrf" else 0.0
        if (fitted.event, fitted.min_chrf) != (section.confidence_event, min_chrf):
            logger.warning(
                "the confidence is that of %s (%s), not that of the section evaluate; `s2s export` fits it anew",
                served,
                fitted.event,
            )


def tell_of_several_references(pairs: Sequence[dict[str, str]], section: EvaluateSection) -> None:
    """Says what several references of a question are: rows of their own, or one row; warns where nothing is put together.

    Args:
        pairs: the rows that are scored.
        section: ``references``.
    """
    if section.references == "together":
        several = sum(len(references_in(row[TARGET])) > 1 for row in pairs)
        logger.log(
            logging.INFO if several else logging.WARNING,
            "evaluate.references: %d of %d rows of test have several references; rows are put together that are equal in every "
            "column but the target", several, len(pairs),
        )  # fmt: skip
        return
    further = sum(len(references_in(row[TARGET])) - 1 for row in put_together(pairs))
    if further > TOLD_SHARE * len(pairs):
        logger.info(
            "%d of %d rows of test ask what an earlier row asks and have another reference; evaluate.references: together compares "
            "an answer with all of them", further, len(pairs),
        )  # fmt: skip


def tell_of_outputs(evaluation: Evaluation, predictor: Predictor) -> None:
    """Says how many outputs of test were cut at their limit, and how many the lexicon gave."""
    options, number = predictor.options, len(evaluation.examples)
    if evaluation.num_cut and predictor.bundle.config.speech is not None:
        logger.warning("%d of %d recordings were cut: the model did not say that they end", evaluation.num_cut, number)
    elif evaluation.num_cut:
        name = options.limiting_option
        logger.warning(
            "%d of %d hypotheses were cut at their length limit; a larger evaluate.%s (now %g) gives more room",
            evaluation.num_cut, number, name, getattr(options, name),
        )  # fmt: skip
    if not options.lexicon:
        return
    if answered := sum(bool(example.from_lexicon) for example in evaluation.examples):
        logger.info("the lexicon has answered %d of %d sources of test", answered, number)
    else:
        logger.warning("evaluate.lexicon: no source of test is in train, so these scores do not show what the lexicon is worth")
