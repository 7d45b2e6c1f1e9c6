"""Batches of monolingual sentences, each paired with itself; the objective replaces the source later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.batching.batch import Batch, collate_pairs
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.part import Part


class SentenceReader:
    """Reads batches of a monolingual corpus; see :class:`~seq2seq_core.training.data.pair_reader.PairReader`.

    Args:
        sentences: the tokenised corpus.
        part: the part of an update that its batches belong to.
        prefix: ids to put before each source.
    """

    def __init__(self, sentences: TokenizedDataset, part: Part, prefix: Sequence[int]) -> None:
        self.sentences, self.part = sentences, part
        self.prefix = np.asarray(prefix, dtype=np.int32)

    def read(self, indices: NDArray[np.int64], seed: int) -> Batch:
        """See :class:`~seq2seq_core.training.data.pair_reader.PairReader`."""
        targets = [self.sentences.target(int(index)) for index in indices]
        batch = collate_pairs([np.concatenate([self.prefix, target]) for target in targets], targets, indices)
        return replace(batch, part=self.part)
