"""Batches of pairs whose targets are frames.

Shapes: B batch (rows), T frames of the longest target, M mel bands.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.batching.batch import Batch, collate_sources
from seq2seq_core.batching.dataset import TokenizedDataset


def collate_frames(dataset: TokenizedDataset, indices: Sequence[int] | NDArray[np.int64]) -> Batch:
    """The batch of some pairs: both targets are frames_BTM (float32), the lengths are of frames, and so is ``num_target_tokens``.

    The model shifts frames itself, because it writes several at a time.

    Args:
        dataset: the pairs.
        indices: places of the pairs in the dataset; at least one.
    """
    targets = collate_sources([dataset.target(int(index)) for index in indices])
    return Batch(
        source=collate_sources([dataset.source(int(index)) for index in indices]),
        target_in_BT=targets.values,
        target_out_BT=targets.values,
        target_lengths_B=targets.lengths_B,
        num_target_tokens=int(targets.lengths_B.sum()),
        indices=np.asarray(indices, dtype=np.int64),
    )


class FramePairs:
    """Reads the pairs as they are stored; a :class:`~seq2seq_core.training.data.pair_reader.PairReader`.

    Args:
        dataset: the tokenised pairs.
    """

    def __init__(self, dataset: TokenizedDataset) -> None:
        self.dataset = dataset

    def read(self, indices: NDArray[np.int64], seed: int) -> Batch:
        """The batch of some pairs; draws nothing."""
        return collate_frames(self.dataset, indices)
