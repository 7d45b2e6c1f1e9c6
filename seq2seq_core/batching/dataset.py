"""Tokenised pairs on disk, read by memory mapping: opening reads the rows' offsets, never the corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.errors import MissingInput, UserError
from seq2seq_core.tokenization.ragged import groups_path, offsets_path, values_path


@dataclass(frozen=True)
class _Side:
    """One side of a split: ``values`` (ids, or frames of (frames, features)), and where in them each row begins and ends."""

    values: NDArray[Any]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def row(self, index: int) -> NDArray[Any]:
        """The ids or frames of one row."""
        return self.values[self.starts[index] : self.ends[index]]

    def select(self, indices: NDArray[np.int64]) -> _Side:
        """The same values with some of the rows."""
        return _Side(self.values, self.starts[indices], self.ends[indices])


class TokenizedDataset:
    """The pairs of one split.

    Attributes:
        split: ``train``, ``dev`` or ``test``.
        source_lengths: ids (eos included) or frames of each source; int64.
        target_lengths: ids of each target, eos included; int64.
        groups: the number of each pair's group, which sampling by temperature is over; int32. None where there are no groups.
    """

    def __init__(self, split: str, source: _Side, target: _Side, groups: NDArray[np.int32] | None = None) -> None:
        self.split, self.groups = split, groups
        self._source, self._target = source, target
        self.source_lengths: NDArray[np.int64] = source.ends - source.starts
        self.target_lengths: NDArray[np.int64] = target.ends - target.starts

    @classmethod
    def open(cls, folder: Path, split: str) -> TokenizedDataset:
        """The tokenised pairs of a split.

        Args:
            folder: what ``s2s tokenize`` wrote.
            split: ``train``, ``dev`` or ``test``.

        Raises:
            MissingInput: a file is not there.
            UserError: a file is cut short, or the two sides or the groups have different numbers of rows.
        """
        source, target = _open_side(folder, split, "source"), _open_side(folder, split, "target")
        if len(source.starts) != len(target.starts):
            raise UserError(
                f"{folder}: {split} has {len(source.starts)} sources but {len(target.starts)} targets; "
                "`s2s tokenize` (or `dvc repro tokenize`) makes them anew"
            )
        groups = _open_array(groups_path(folder, split)) if groups_path(folder, split).exists() else None
        if groups is not None and len(groups) != len(source.starts):
            raise UserError(
                f"{folder}: {split} has {len(source.starts)} pairs but {len(groups)} groups; "
                "`s2s tokenize` (or `dvc repro tokenize`) makes them anew"
            )
        return cls(split, source, target, groups)

    def __len__(self) -> int:
        return len(self.source_lengths)

    @property
    def num_features(self) -> int:
        """Features of a source frame; 0 where the sources are ids."""
        return int(self._source.values.shape[1]) if self._source.values.ndim == 2 else 0

    def select(self, indices: NDArray[np.int64]) -> TokenizedDataset:
        """The dataset of some of the pairs, in the given order; nothing is copied but their places.

        Args:
            indices: which pairs.
        """
        groups = None if self.groups is None else self.groups[indices]
        return TokenizedDataset(self.split, self._source.select(indices), self._target.select(indices), groups)

    def source(self, index: int) -> NDArray[Any]:
        """One source: ids (int32, eos included) or frames (float32, of (frames, features))."""
        return self._source.row(index)

    def target(self, index: int) -> NDArray[np.int32]:
        """One target: ids (int32), eos included, without bos."""
        return self._target.row(index)


def _open_side(folder: Path, split: str, side: str) -> _Side:
    values, offsets = (_open_array(path(folder, split, side)) for path in (values_path, offsets_path))
    if len(offsets) == 0 or int(offsets[-1]) != len(values):
        raise UserError(
            f"{values_path(folder, split, side)}: {len(values)} values, expected as many as "
            f"{offsets_path(folder, split, side).name} says; `s2s tokenize` (or `dvc repro tokenize`) makes them anew"
        )
    return _Side(values, np.asarray(offsets[:-1]), np.asarray(offsets[1:]))


def _open_array(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise MissingInput(f"{path}: no such file; `s2s tokenize` (or `dvc repro tokenize`) makes it") from None
    except (ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read ({error}); `s2s tokenize` (or `dvc repro tokenize`) makes it anew") from None
    return array
