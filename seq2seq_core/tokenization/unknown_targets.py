"""The error about targets that the vocabulary cannot spell."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from seq2seq_core.config.tokenize import TokenizeSection
from seq2seq_core.corpus.file_faults.text_faults import quote
from seq2seq_core.corpus.pairs import TARGET, iterate_pairs
from seq2seq_core.errors import ContractViolation
from seq2seq_core.tokenization.special_tokens import UNK_ID
from seq2seq_core.tokenization.subword import SubwordModel

EXAMPLES = 3
"""Targets that the error shows."""


def too_many_unknown(path: Path, model: SubwordModel, fraction: float, section: TokenizeSection) -> ContractViolation:
    """An error that shows the first targets of a split with unknown symbols.

    Args:
        path: the prepared split.
        model: the targets' subword model.
        fraction: share of unknown symbols among the target tokens.
        section: the settings by which it is too large.
    """
    side = "source" if section.joint else "target"
    found = ((line, pair[TARGET]) for line, pair in enumerate(iterate_pairs(path), start=1))
    unknown = ((line, text) for line, text in found if UNK_ID in model.encode([text])[0])
    shown = "".join(f"\n    {path}:{line}: {quote(text)}" for line, text in islice(unknown, EXAMPLES))
    return ContractViolation(
        f"{path.stem}: {100 * fraction:.1f} % of the target tokens are unknown to the vocabulary, and no model writes what it "
        f"lacks; expected at most {100 * section.max_unknown_target_fraction:g} % (tokenize.max_unknown_target_fraction). "
        f"tokenize.{side}: model {model.kind!r} may not suit these texts (symbols never splits a word; char and bpe spell new "
        f"ones), or vocabulary_size or character_coverage may be too small. The first of them:{shown}"
    )
