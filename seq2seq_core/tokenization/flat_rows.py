"""Rows of ids or frames as one flat array, so that a whole chunk is cut, chosen and counted without a Python object per row."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.tokenization.special_tokens import UNK_ID


@dataclass(frozen=True)
class FlatRows:
    """Some rows, one after the other.

    Attributes:
        values: ids (int32, 1-D), or frames of (frames, features).
        lengths: ids or frames of each row (int64).
    """

    values: NDArray[Any]
    lengths: NDArray[np.int64]

    @classmethod
    def of_ids(cls, rows: Sequence[Sequence[int]]) -> Self:
        """The rows of ids in lists."""
        ids = list[int]()
        for row in rows:
            ids.extend(row)
        values = bytearray(len(ids) * np.dtype(np.int32).itemsize)
        struct.pack_into(f"{len(ids)}i", values, 0, *ids)  # in two thirds of the time of numpy.fromiter
        return cls(np.frombuffer(values, np.int32), count_lengths(rows))

    @classmethod
    def of_arrays(cls, rows: Sequence[NDArray[Any]]) -> Self:
        """The rows in arrays, at least one."""
        return cls(np.concatenate(rows), count_lengths(rows))

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def longest(self) -> int:
        """Length of the longest row; 0 if there is none."""
        return int(self.lengths.max(initial=0))

    @property
    def num_unknown(self) -> int:
        """Number of unknown ids; no frame is one."""
        return int(np.count_nonzero(self.values == UNK_ID)) if self.values.ndim == 1 else 0

    def behind(self, tags: Sequence[Sequence[int]]) -> FlatRows:
        """Each row of ids behind its tags.

        Args:
            tags: the ids before those of each row; nothing: no row has any.
        """
        added = count_lengths(tags)
        if not added.any():
            return self
        starts = np.repeat(self._ends() - self.lengths, added)
        ids = np.fromiter(chain.from_iterable(tags), np.int32, len(starts))
        return FlatRows(np.insert(self.values, starts, ids), self.lengths + added)

    def cut(self, limit: int, num_first: NDArray[np.int64]) -> FlatRows:
        """The rows cut to at most ``limit`` ids or frames.

        Args:
            limit: at least 1.
            num_first: how many ids or frames at the beginning of each row that is too long stay, at most ``limit``; the others are
                from its end.
        """
        if self.longest <= limit:
            return self
        ends = self._ends()
        from_start = np.arange(len(self.values)) - np.repeat(ends - self.lengths, self.lengths)
        from_end = np.repeat(ends, self.lengths) - np.arange(len(self.values))
        is_first = from_start < np.repeat(num_first, self.lengths)
        is_last = from_end <= np.repeat(limit - num_first, self.lengths)
        is_short = np.repeat(self.lengths <= limit, self.lengths)
        return FlatRows(self.values[is_short | is_first | is_last], np.minimum(self.lengths, limit))

    def select(self, is_kept: NDArray[np.bool_]) -> FlatRows:
        """Some of the rows.

        Args:
            is_kept: whether each row stays.
        """
        if is_kept.all():
            return self
        return FlatRows(self.values[np.repeat(is_kept, self.lengths)], self.lengths[is_kept])

    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum(self.lengths, dtype=np.int64)


def count_lengths(rows: Sequence[Sequence[int] | NDArray[Any]]) -> NDArray[np.int64]:
    """The lengths of some rows."""
    return np.fromiter(map(len, rows), np.int64, len(rows))


def count_first(limit: int, num_tags: int, keeps_end: bool, is_frames: bool) -> int:
    """How many ids or frames at the beginning of a row stay where it is cut; the others, to the limit, are from its end.

    Of ids, the tags and eos stay, and the first ids between them, or the last.

    Args:
        limit: most ids or frames of the cut row.
        num_tags: the number of tags that the row begins with.
        keeps_end: whether the last ids or frames stay.
        is_frames: whether the row is of frames, which have neither tags nor eos.
    """
    if is_frames:
        return 0 if keeps_end else limit
    return min(num_tags, limit - 1) if keeps_end else limit - 1
