"""How much of a split a vocabulary covers: a warning where it lacks some, an error where it lacks too much.

No model writes what its vocabulary lacks. A vocabulary that is kept while the corpus grows lacks more and more of it.
"""

from __future__ import annotations

import logging
from collections.abc import Set
from itertools import islice
from pathlib import Path

from seq2seq_core.config.tokenize import TokenizeSection
from seq2seq_core.corpus.file_faults.text_faults import quote
from seq2seq_core.corpus.pairs import SOURCE, TARGET, iterate_pairs
from seq2seq_core.errors import ContractViolation
from seq2seq_core.tokenization.encode import Tokenizers
from seq2seq_core.tokenization.special_tokens import UNK_ID
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.token_counts import SideCounts, SplitCounts

logger = logging.getLogger(__name__)

EXAMPLES = 3
"""Texts that an error shows."""
UNKNOWN_WARNING_FRACTION = 0.01
"""Share of unknown symbols among the tokens of a side from which on a vocabulary made of train is warned of."""


def check_coverage(path: Path, counts: SplitCounts, tokenizers: Tokenizers, section: TokenizeSection) -> None:
    """Checks a split that is encoded.

    Args:
        path: the prepared split.
        counts: of its tokens.
        tokenizers: of the two sides.
        section: the settings; with a kept vocabulary, both sides of train and dev have bounds.

    Raises:
        ContractViolation: a side has too many unknown symbols.
    """
    for side, model, found in (
        (SOURCE, tokenizers.source, counts.source),
        (TARGET, tokenizers.target, counts.target),
    ):
        if isinstance(model, SubwordModel):
            _check_side(path, side, model, found, section)
    if counts.target.unknown_fraction > section.max_unknown_target_fraction:
        raise _too_many_unknown(path, tokenizers.target, counts.target.unknown_fraction, section)


def _check_side(path: Path, side: str, model: SubwordModel, found: SideCounts, section: TokenizeSection) -> None:
    split, fraction = path.stem, 100 * found.uncovered_fraction
    if section.vocabulary and split != "test" and found.uncovered_fraction > section.max_uncovered_fraction:
        raise ContractViolation(
            f"{split}: {fraction:.2f} % of the {side} tokens are not in the vocabulary of {section.vocabulary} (unknown, or spelt "
            f"in bytes); expected at most {100 * section.max_uncovered_fraction:g} % (tokenize.max_uncovered_fraction). Without "
            "tokenize.vocabulary a new vocabulary is made of train. "
            f"The first of them:{_show_texts(path, side, model, {UNK_ID, *model.byte_ids})}"
        )
    if section.vocabulary and found.uncovered_fraction > section.warn_uncovered_fraction:
        logger.warning(
            "%s: %.2f %% of the %s tokens are not in the vocabulary of %s (tokenize.warn_uncovered_fraction)",
            split, fraction, side, section.vocabulary,
        )  # fmt: skip
    elif not section.vocabulary and found.unknown_fraction > UNKNOWN_WARNING_FRACTION:
        logger.warning(
            "%s: %.1f %% of the %s tokens are unknown to the vocabulary (tokenize.%s: vocabulary_size, character_coverage)",
            split, 100 * found.unknown_fraction, side, SOURCE if section.joint else side,
        )  # fmt: skip


def _too_many_unknown(path: Path, model: SubwordModel, fraction: float, section: TokenizeSection) -> ContractViolation:
    """An error that shows the first targets of a split with unknown symbols."""
    side = SOURCE if section.joint else TARGET
    return ContractViolation(
        f"{path.stem}: {100 * fraction:.1f} % of the target tokens are unknown to the vocabulary, and no model writes what it "
        f"lacks; expected at most {100 * section.max_unknown_target_fraction:g} % (tokenize.max_unknown_target_fraction). "
        f"tokenize.{side}: model {model.kind!r} may not suit these texts (symbols never splits a word; char and bpe spell new "
        f"ones), or vocabulary_size or character_coverage may be too small. "
        f"The first of them:{_show_texts(path, TARGET, model, {UNK_ID})}"
    )


def _show_texts(path: Path, side: str, model: SubwordModel, ids: Set[int]) -> str:
    """The first texts of a side that have one of some ids, a line each."""
    found = ((line, pair[side]) for line, pair in enumerate(iterate_pairs(path), start=1))
    shown = ((line, text) for line, text in found if not ids.isdisjoint(model.encode([text])[0]))
    return "".join(f"\n    {path}:{line}: {quote(text)}" for line, text in islice(shown, EXAMPLES))
