"""Inputs of the model: padded sources and targets of several pairs.

Shapes: B batch (rows), S source length, T target length (with bos or eos), F features of a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.part import PAIRS, Part
from seq2seq_core.tokenization.special_tokens import BOS_ID, PAD_ID


@dataclass(frozen=True)
class Source:
    """Padded sources.

    Attributes:
        values: ids, (B, S) int64, or frames, (B, S, F) float32; padded at the end with ``PAD_ID`` or zeros.
        lengths_B: ids or frames of each row; int64.
        num_valid: ids or frames of all rows together, kept to avoid reading them back from a GPU; None: not known.
    """

    values: Tensor
    lengths_B: Tensor
    num_valid: int | None = None

    @property
    def padding_mask_BS(self) -> Tensor:
        """True at padding; (B, S) bool."""
        return padding_mask(self.lengths_B, self.values.shape[1])

    @property
    def num_rows(self) -> int:
        """B."""
        return int(self.values.shape[0])

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Source:
        """The same sources on a device."""
        values, lengths_B = (tensor.to(device, non_blocking=non_blocking) for tensor in (self.values, self.lengths_B))
        return Source(values, lengths_B, self.num_valid)


@dataclass(frozen=True)
class Batch:
    """Padded pairs for teacher forcing.

    Attributes:
        source: the sources.
        target_in_BT: the decoder's inputs, bos and the target's ids; int64.
        target_out_BT: the symbols to predict, the target's ids and eos; int64.
        target_lengths_B: ids of each target with bos (or eos); int64.
        num_target_tokens: ids to predict, padding left out.
        indices: the pairs' places in the dataset; int64.
        part: the part of the update that the batch belongs to.
    """

    source: Source
    target_in_BT: Tensor
    target_out_BT: Tensor
    target_lengths_B: Tensor
    num_target_tokens: int
    indices: NDArray[np.int64]
    part: Part = PAIRS

    @property
    def target_padding_mask_BT(self) -> Tensor:
        """True at padding; (B, T) bool."""
        return padding_mask(self.target_lengths_B, self.target_in_BT.shape[1])

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch on a device."""
        return replace(
            self,
            source=self.source.to(device, non_blocking),
            target_in_BT=self.target_in_BT.to(device, non_blocking=non_blocking),
            target_out_BT=self.target_out_BT.to(device, non_blocking=non_blocking),
            target_lengths_B=self.target_lengths_B.to(device, non_blocking=non_blocking),
        )


def padding_mask(lengths_B: Tensor, length: int) -> Tensor:
    """True at padding; (B, length) bool.

    Args:
        lengths_B: ids or frames of each row; int64.
        length: the padded length.
    """
    return torch.arange(length, device=lengths_B.device) >= lengths_B.unsqueeze(1)


def collate(dataset: TokenizedDataset, indices: Sequence[int] | NDArray[np.int64]) -> Batch:
    """The batch of some pairs, in the given order.

    Args:
        dataset: the dataset of the pairs.
        indices: places of the pairs in the dataset; at least one.
    """
    sources = [dataset.source(int(index)) for index in indices]
    return collate_pairs(sources, [dataset.target(int(index)) for index in indices], indices)


def collate_pairs(
    sources: Sequence[Sequence[int] | NDArray[Any]],
    targets: Sequence[Sequence[int] | NDArray[Any]],
    indices: Sequence[int] | NDArray[np.int64],
) -> Batch:
    """The batch of some pairs, which may differ from the dataset's rows.

    Args:
        sources: see :func:`collate_sources`.
        targets: rows of ids that end with eos, one for each source.
        indices: the places of the pairs in the dataset.
    """
    out_BT, lengths_B = _pad([np.asarray(target) for target in targets])
    in_BT = torch.full_like(out_BT, PAD_ID)
    in_BT[:, 1:] = out_BT[:, :-1]
    in_BT[padding_mask(lengths_B, in_BT.shape[1])] = PAD_ID  # the eos of a row that is not the longest
    in_BT[:, 0] = BOS_ID
    return Batch(
        source=collate_sources(sources),
        target_in_BT=in_BT,
        target_out_BT=out_BT,
        target_lengths_B=lengths_B,
        num_target_tokens=sum(len(target) for target in targets),
        indices=np.asarray(indices, dtype=np.int64),
    )


def collate_sources(sources: Sequence[Sequence[int] | NDArray[Any]]) -> Source:
    """Padded sources, in the given order.

    Args:
        sources: rows of ids that end with eos, or of frames of (frames, features): floats, or 8 bits, which are divided by 255; at
            least one row.
    """
    values, lengths_B = _pad([np.asarray(source) for source in sources])
    return Source(values, lengths_B, int(lengths_B.sum()))


def _pad(rows: Sequence[NDArray[Any]]) -> tuple[Tensor, Tensor]:
    """Padded rows, (B, longest) int64 or (B, longest, F) float32, and their lengths."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    is_frames = rows[0].ndim == 2
    shape = (len(rows), int(lengths.max()), *rows[0].shape[1:])
    padded: NDArray[Any] = np.zeros(shape, dtype=np.float32) if is_frames else np.full(shape, PAD_ID, dtype=np.int64)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    if is_frames and rows[0].dtype == np.uint8:
        padded /= np.float32(255.0)
    return torch.from_numpy(padded), torch.from_numpy(lengths)
