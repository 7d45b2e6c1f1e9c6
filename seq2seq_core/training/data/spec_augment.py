"""SpecAugment: masks frequency bands and time spans of training frames (Park 2019, section 2).

Time warping is not implemented.

Shapes: B batch, S source length, F features of a frame.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.regularization import SpecAugment
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.data.pair_reader import PairReader


class MaskedPairs:
    """Pairs whose frames are masked anew in each update.

    Args:
        pairs: reader of the batches without masks.
        settings: number and width of the masks.
        num_bands: frequency bands of a frame; frames stacked side by side get the same mask.
    """

    def __init__(self, pairs: PairReader, settings: SpecAugment, num_bands: int) -> None:
        self.pairs, self.settings, self.num_bands = pairs, settings, num_bands

    def read(self, indices: NDArray[np.int64], seed: int) -> Batch:
        """See :class:`~seq2seq_core.training.data.pair_reader.PairReader`."""
        batch = self.pairs.read(indices, seed)
        masked = batch.source.values.clone()
        for place, (index, length) in enumerate(zip(indices.tolist(), batch.source.lengths_B.tolist(), strict=True)):
            chance = np.random.default_rng(derive_seed(seed, "spec_augment", index))
            is_masked_SF = draw_masks(chance, length, self.num_bands, self.settings)
            is_masked_SF = np.tile(is_masked_SF, masked.shape[2] // self.num_bands)
            # 0 is the mean of normalised frames.
            masked[place, :length].masked_fill_(torch.from_numpy(is_masked_SF), 0.0)
        return replace(batch, source=replace(batch.source, values=masked))


def draw_masks(chance: np.random.Generator, length: int, num_bands: int, settings: SpecAugment) -> NDArray[np.bool_]:
    """The mask of a source: is_masked_SF, True at masked places.

    Args:
        chance: the random stream.
        length: S.
        num_bands: F.
        settings: number and width of the masks; a time mask covers at most ``time_fraction`` of S.
    """
    is_masked_SF = np.zeros((length, num_bands), dtype=np.bool_)
    for _ in range(settings.frequency_masks):
        start, end = _draw_span(chance, num_bands, settings.frequency_width)
        is_masked_SF[:, start:end] = True
    for _ in range(settings.time_masks):
        start, end = _draw_span(chance, length, min(settings.time_width, int(settings.time_fraction * length)))
        is_masked_SF[start:end] = True
    return is_masked_SF


def _draw_span(chance: np.random.Generator, length: int, max_width: int) -> tuple[int, int]:
    """A random span within a length; its width is uniform from 0 to ``max_width``."""
    width = int(chance.integers(0, min(max_width, length) + 1))
    start = int(chance.integers(0, length - width + 1))
    return start, start + width
