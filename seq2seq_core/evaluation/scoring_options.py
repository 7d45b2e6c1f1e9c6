"""Scoring options from the section ``evaluate``. Training does not import this module."""

from __future__ import annotations

from dataclasses import replace

from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.evaluation.metric import ScoringOptions


def scoring_options(section: EvaluateSection) -> ScoringOptions:
    """The scoring options of the whole test set.

    Args:
        section: ``evaluate``.
    """
    return ScoringOptions(section.bleu_tokenizer, section.references == "together")


def slice_options(section: EvaluateSection) -> dict[str, dict[str, ScoringOptions]]:
    """The scoring options of slices that have their own, by column and value.

    Args:
        section: ``evaluate``.
    """
    whole = scoring_options(section)
    return {
        column: {value: replace(whole, bleu_tokenizer=tokenizer) for value, tokenizer in tokenizers.items()}
        for column, tokenizers in section.bleu_tokenizers.items()
    }
