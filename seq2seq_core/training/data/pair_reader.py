"""Readers of training batches: the stored ids, or other segmentations of the same texts (Kudo 2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.batching.batch import Batch, collate, collate_pairs
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.regularization import SubwordSampling
from seq2seq_core.errors import UserError
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.tokenization.special_tokens import EOS_ID, UNK_ID
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import count_leading_tags


class PairReader(Protocol):
    """Reads batches of training pairs."""

    def read(self, indices: NDArray[np.int64], seed: int) -> Batch:
        """The batch of some pairs.

        Args:
            indices: places of the pairs in the dataset.
            seed: seed of the batch's update, for readers that draw at random.
        """


class StoredPairs:
    """The pairs as they are stored.

    Args:
        dataset: the tokenised pairs.
    """

    def __init__(self, dataset: TokenizedDataset) -> None:
        self.dataset = dataset

    def read(self, indices: NDArray[np.int64], seed: int) -> Batch:
        """See :class:`PairReader`."""
        return collate(self.dataset, indices)


class ResegmentedPairs:
    """The pairs, with their texts segmented anew in each update; leading tags are kept.

    A row with an unknown symbol is kept as stored: its text cannot be recovered.

    Args:
        dataset: the stored pairs.
        source_tokenizer: subword model of the sources; None if they are frames.
        target_tokenizer: subword model of the targets.
        settings: the sides to segment anew, and how.

    Raises:
        UserError: the settings segment sources that are frames.
    """

    def __init__(
        self,
        dataset: TokenizedDataset,
        source_tokenizer: SubwordModel | None,
        target_tokenizer: SubwordModel,
        settings: SubwordSampling,
    ) -> None:
        if dataset.num_features and settings.sides != "target":
            raise UserError(
                f"train.subword_sampling.sides: must be 'none' or 'target' where the sources are frames, got {settings.sides!r}"
            )
        self.dataset, self.settings = dataset, settings
        self.source_tokenizer, self.target_tokenizer = source_tokenizer, target_tokenizer

    def read(self, indices: NDArray[np.int64], seed: int) -> Batch:
        """See :class:`PairReader`."""
        sources = self._side("source", self.source_tokenizer, self.dataset.source, indices, seed)
        targets = self._side("target", self.target_tokenizer, self.dataset.target, indices, seed)
        return collate_pairs(sources, targets, indices)

    def _side(
        self, side: str, tokenizer: SubwordModel | None, row: Callable[[int], NDArray[Any]], indices: NDArray[np.int64], seed: int
    ) -> list[NDArray[Any]]:
        """One side of the pairs."""
        rows = [row(int(index)) for index in indices]
        if tokenizer is None or self.settings.sides not in (side, "both"):
            return rows
        seeds = [derive_seed(seed, "segmentation", side, int(index)) for index in indices]
        return [self._resegment(tokenizer, ids, own) for ids, own in zip(rows, seeds, strict=True)]

    def _resegment(self, tokenizer: SubwordModel, ids: NDArray[Any], seed: int) -> NDArray[Any]:
        """The same text in another segmentation; the ids end with eos and may begin with tags."""
        if UNK_ID in ids:
            return ids
        num_tags = count_leading_tags(ids.tolist(), tokenizer)
        (text,) = tokenizer.decode([ids[num_tags:-1].tolist()])
        sampled = tokenizer.sample(text, self.settings.alpha, self.settings.nbest, seed)
        return np.array([*ids[:num_tags], *sampled, EOS_ID], dtype=ids.dtype)
