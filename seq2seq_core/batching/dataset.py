"""Tokenised pairs on disk. Opening reads neither the corpus nor the rows' offsets, and rows are not kept after reading."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.batching.row_file import RowFile
from seq2seq_core.errors import UserError
from seq2seq_core.tokenization.ragged import groups_path, offsets_path, values_path

Places = NDArray[np.int64] | range
"""The rows of the files that a dataset holds, in its order."""
ROWS_AT_ONCE = 1 << 18
"""Rows whose offsets are in memory at once (8 bytes each) when the lengths of many are computed."""


@dataclass(frozen=True)
class _Side:
    """One side of a split: ``values`` (ids, or frames of (frames, features)), and where in them each row begins and ends."""

    values: RowFile
    offsets: RowFile

    @property
    def num_rows(self) -> int:
        """Rows in the files."""
        return len(self.offsets) - 1

    def row(self, place: int) -> NDArray[Any]:
        """The ids (int32, whatever the type on the disk) or frames of one row."""
        start, end = self.offsets.read(place, place + 2).tolist()
        values = self.values.read(start, end)
        return values.astype(np.int32) if values.dtype == np.uint16 else values

    def lengths(self, places: Places) -> NDArray[np.int64]:
        """The lengths of some rows; reads the offsets of a large file in parts."""
        if isinstance(places, range):
            rows = slice(places.start, places.stop, places.step)
            offsets = self.offsets.map()
            return np.asarray(offsets[1:][rows] - offsets[:-1][rows], dtype=np.int64)
        lengths = np.empty(len(places), dtype=np.int64)
        for first in range(0, self.num_rows, ROWS_AT_ONCE):
            last = min(first + ROWS_AT_ONCE, self.num_rows)
            chosen = np.flatnonzero((places >= first) & (places < last))
            if len(chosen):
                offsets, rows_here = self.offsets.read(first, last + 1), places[chosen] - first
                lengths[chosen] = offsets[rows_here + 1] - offsets[rows_here]
        return lengths


class TokenizedDataset:
    """The pairs of one split.

    Args:
        split: name of the split.
        source: the sources of all pairs in the files.
        target: their targets.
        groups: the numbers of their groups; None where there are no groups.
        places: the rows that the dataset holds; None: all.

    Attributes:
        split: ``train``, ``dev`` or ``test``, or ``monolingual.en`` and such for sentences that are source and target alike.
    """

    def __init__(
        self, split: str, source: _Side, target: _Side, groups: RowFile | None = None, places: Places | None = None
    ) -> None:
        self.split = split
        self._source, self._target, self._groups = source, target, groups
        self._places = range(source.num_rows) if places is None else places

    @classmethod
    def open(cls, folder: Path, split: str) -> TokenizedDataset:
        """The tokenised pairs of a split.

        Args:
            folder: ``data/tokenized``, the output of ``s2s tokenize``.
            split: ``train``, ``dev`` or ``test``.

        Raises:
            MissingInput: a file is missing.
            UserError: a file is truncated, or the two sides or the groups have different numbers of rows.
        """
        source, target = _open_side(folder, split, "source"), _open_side(folder, split, "target")
        if source.num_rows != target.num_rows:
            raise UserError(
                f"{folder}: {split} has {source.num_rows} sources but {target.num_rows} targets; "
                "`s2s tokenize` (or `dvc repro tokenize`) makes them anew"
            )
        groups = RowFile(groups_path(folder, split)) if groups_path(folder, split).exists() else None
        if groups is not None and len(groups) != source.num_rows:
            raise UserError(
                f"{folder}: {split} has {source.num_rows} pairs but {len(groups)} groups; "
                "`s2s tokenize` (or `dvc repro tokenize`) makes them anew"
            )
        return cls(split, source, target, groups)

    @classmethod
    def open_sentences(cls, folder: Path, split: str) -> TokenizedDataset:
        """The tokenised sentences of a language, each as source and target alike.

        Args:
            folder: ``data/tokenized``, the output of ``s2s tokenize``.
            split: ``monolingual.en`` and such.

        Raises:
            MissingInput: a file is missing.
            UserError: a file is truncated.
        """
        text = _open_side(folder, split, "text")
        return cls(split, text, text)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def source_lengths(self) -> NDArray[np.int64]:
        """Ids (eos included) or frames of each source; computed at each call, 8 bytes per pair; see :meth:`lengths` for some."""
        return self._source.lengths(self._places)

    @property
    def target_lengths(self) -> NDArray[np.int64]:
        """Ids of each target, eos included; computed at each call, 8 bytes per pair; see :meth:`lengths` for some."""
        return self._target.lengths(self._places)

    @property
    def groups(self) -> NDArray[np.int32] | None:
        """The number of each pair's group, for sampling by temperature; None if there are no groups."""
        if self._groups is None:
            return None
        places, groups = self._places, self._groups.map()
        return groups[places.start : places.stop : places.step] if isinstance(places, range) else groups[places]

    @property
    def num_features(self) -> int:
        """Features of a source frame; 0 where the sources are ids."""
        return self._source.values.shape[1] if len(self._source.values.shape) == 2 else 0

    def lengths(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The lengths of some sources and those of their targets.

        Args:
            indices: places of the pairs in this dataset.
        """
        places = select_places(self._places, indices)
        return self._source.lengths(places), self._target.lengths(places)

    def select(self, indices: NDArray[np.int64] | slice) -> TokenizedDataset:
        """The dataset of some of the pairs, in the given order; copies only their places, and nothing for a slice.

        Args:
            indices: places of the pairs in this dataset.
        """
        return TokenizedDataset(self.split, self._source, self._target, self._groups, select_places(self._places, indices))

    def source(self, index: int) -> NDArray[Any]:
        """One source: ids (int32, eos included) or frames (float32, or 8 bits of a picture; of (frames, features))."""
        return self._source.row(int(self._places[index]))

    def target(self, index: int) -> NDArray[np.int32]:
        """One target: ids (int32), eos included, without bos."""
        return self._target.row(int(self._places[index]))


def select_places(places: Places, indices: NDArray[np.int64] | slice) -> Places:
    """A selection of places.

    Args:
        places: places of rows.
        indices: positions in ``places``.
    """
    if isinstance(indices, slice):
        return places[indices]
    return places.start + places.step * indices if isinstance(places, range) else places[indices]


def _open_side(folder: Path, split: str, side: str) -> _Side:
    values, offsets = RowFile(values_path(folder, split, side)), RowFile(offsets_path(folder, split, side))
    if len(offsets) == 0 or int(offsets.read(len(offsets) - 1, len(offsets))[0]) != len(values):
        raise UserError(
            f"{values_path(folder, split, side)}: {len(values)} values, expected as many as "
            f"{offsets_path(folder, split, side).name} says; `s2s tokenize` (or `dvc repro tokenize`) makes them anew"
        )
    return _Side(values, offsets)
