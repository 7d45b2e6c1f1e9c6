"""Warnings of a dev metric that does not move, with what would. They change nothing in the training."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from seq2seq_core.config.metric_names import BLEU, LOSS
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.scores import find_metric
from seq2seq_core.evaluation.sensitivity import explain_insensitivity, name_moving, name_sensitive

logger = logging.getLogger(__name__)

WARNING_AFTER = 3
"""Validations in a row with a score at its worst before a warning."""
MEANWHILE = "while it is at its worst, dev loss decides on the best weights, early stopping and plateaus"


def warn_of_insensitive_metric(settings: PhaseSettings, references: Sequence[str], options: ScoringOptions) -> None:
    """Warns at the beginning of a phase if its dev metric cannot tell hypotheses of the dev targets apart.

    Args:
        settings: settings of the phase.
        references: the dev targets that hypotheses are compared with; none are decoded if empty.
        options: the scoring options of dev.
    """
    metric = settings.dev_metric
    if metric == LOSS or not references or not (reason := explain_insensitivity(metric, references, options)):
        return
    logger.warning(
        "%s %s; %s. Set %s: %s", _describe(settings), reason, MEANWHILE, _settings_to_change(settings),
        _join(name_sensitive(metric, references, options)),
    )  # fmt: skip


def warn_of_worst_score(
    step: int, settings: PhaseSettings, hypotheses: Sequence[str], references: Sequence[str], options: ScoringOptions
) -> None:
    """Warns after several validations with a score at its worst, unless the phase began with a warning.

    Args:
        step: updates made.
        settings: settings of the phase.
        hypotheses: the decoded dev sources.
        references: as many dev targets.
        options: the scoring options of dev.
    """
    metric = settings.dev_metric
    if not hypotheses or explain_insensitivity(metric, references, options):
        return
    logger.warning(
        "step %d: %s has been at its worst, %g, in %d validations; %s. What moves now, to set %s: %s",
        step, _describe(settings), find_metric(metric).worst, WARNING_AFTER, MEANWHILE, _settings_to_change(settings),
        _join(name_moving(metric, hypotheses, references, options)),
    )  # fmt: skip


def _describe(settings: PhaseSettings) -> str:
    tokenizer = f" by the tokeniser {settings.dev_bleu_tokenizer}" if settings.dev_metric == BLEU else ""
    return f"dev_metric {settings.dev_metric}{tokenizer}"


def _settings_to_change(settings: PhaseSettings) -> str:
    return "train.dev_bleu_tokenizer or train.dev_metric" if settings.dev_metric == BLEU else "train.dev_metric"


def _join(names: Sequence[str]) -> str:
    return ", ".join([*names, LOSS])
