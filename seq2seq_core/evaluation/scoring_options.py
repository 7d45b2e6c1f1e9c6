"""Settings of ``evaluate`` as metrics take them; training, which does without them, imports none of this."""

from __future__ import annotations

from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.evaluation.metric import ScoringOptions


def scoring_options(section: EvaluateSection) -> ScoringOptions:
    """What metrics read of the settings.

    Args:
        section: ``evaluate``.
    """
    return ScoringOptions(bleu_tokenizer=section.bleu_tokenizer)


def slice_options(section: EvaluateSection) -> dict[str, dict[str, ScoringOptions]]:
    """What metrics read of the settings for slices that have options of their own, by column and value.

    Args:
        section: ``evaluate``.
    """
    return {
        column: {value: ScoringOptions(bleu_tokenizer=tokenizer) for value, tokenizer in tokenizers.items()}
        for column, tokenizers in section.bleu_tokenizers.items()
    }
