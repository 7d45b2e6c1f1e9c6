"""Monolingual sentences of several languages, with the language tags and the mask symbol that turn them into pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.batching.batch import Batch, collate_sources
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.train import Phase
from seq2seq_core.errors import UserError
from seq2seq_core.tokenization.languages import MASK_TAG, language_columns
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import Tags


@dataclass(frozen=True)
class MonolingualCorpora:
    """The monolingual corpora of a tokenised corpus.

    Attributes:
        sentences: by language; each sentence is source and target alike.
        tags: maps the columns of a pair to the ids before its source.
        tokenizer: subword model of all languages.
    """

    sentences: Mapping[str, TokenizedDataset]
    tags: Tags
    tokenizer: SubwordModel

    @property
    def directions(self) -> list[tuple[str, str]]:
        """All ordered pairs of languages."""
        return list(permutations(self.sentences, 2))

    @property
    def mask_id(self) -> int:
        """The id of the mask symbol, which noise puts in the place of words."""
        return self.tokenizer.tags[MASK_TAG]

    def starts_word_V(self) -> NDArray[np.bool_]:
        """For each id, whether it starts a word."""
        return self.tokenizer.starts_word_V()

    def prefix(self, source_language: str, target_language: str) -> list[int]:
        """The ids before a source, by its language and that of its target."""
        return self.tags.ids(language_columns(source_language, target_language))

    def with_sources(self, batch: Batch, rows: Sequence[Sequence[int]], language: str) -> Batch:
        """A batch with other sources, from which the model must produce its sentences.

        Args:
            batch: monolingual sentences.
            rows: the ids of each source, without tags and eos.
            language: language of the sources.
        """
        prefix = self.prefix(language, batch.part.language)
        source = collate_sources([[*prefix, *row, EOS_ID] for row in rows])
        return replace(batch, source=source.to(batch.target_out_BT.device))


def target_sentences(batch: Batch) -> list[list[int]]:
    """The ids of a batch's targets, without eos."""
    rows = zip(batch.target_out_BT.tolist(), batch.target_lengths_B.tolist(), strict=True)
    return [ids[: length - 1] for ids, length in rows]


def num_held_out(sentences: TokenizedDataset, phase: Phase) -> int:
    """The number of first sentences of a monolingual corpus that a phase holds out for round trips.

    Args:
        sentences: the corpus.
        phase: gives the objective and ``back_translation.round_trip_sentences``.

    Raises:
        UserError: no sentence would be left to learn from.
    """
    number = phase.back_translation.round_trip_sentences if phase.objective == "back_translation" else 0
    if number >= len(sentences):
        raise UserError(
            f"train.back_translation.round_trip_sentences: must be below the {len(sentences)} sentences of {sentences.split}, "
            f"got {number}"
        )
    return number
