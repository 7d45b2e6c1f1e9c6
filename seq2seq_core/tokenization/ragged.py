"""Ragged sequences in two flat arrays: the concatenated values, and the offset of each row.

Two files per split and side: ``{split}.{side}.values.npy`` and ``{split}.{side}.offsets.npy`` (int64, rows + 1). The values are ids
(uint16 where the vocabulary allows, else int32; 1-D) or feature frames (float32, of pictures uint8; 2-D: frames, features).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.tokenization.flat_rows import FlatRows
from seq2seq_core.tokenization.growing_array import GrowingArray


def values_path(folder: Path, split: str, side: str) -> Path:
    """The file of one side's values."""
    return folder / f"{split}.{side}.values.npy"


def offsets_path(folder: Path, split: str, side: str) -> Path:
    """The file with each row's first position among the values, and the end of the last row."""
    return folder / f"{split}.{side}.offsets.npy"


def groups_path(folder: Path, split: str) -> Path:
    """The file with the number of each pair's group (int32, 1-D); only where the settings ask for groups."""
    return folder / f"{split}.groups.npy"


def id_dtype(vocabulary_size: int) -> type[np.generic]:
    """The smallest type for ids on the disk: 16 bits where they are enough."""
    return np.uint16 if vocabulary_size <= 1 << 16 else np.int32


class RaggedWriter:
    """Appends rows of ids or frames to one side of a split. Use as a context manager.

    Args:
        folder: the output folder of the two files.
        split: ``train``, ``dev`` or ``test``.
        side: ``source`` or ``target``.
        features: number of features of a frame; 0: the rows are ids.
        dtype: the type of the values; None: of frames float32, of ids int32.
    """

    def __init__(self, folder: Path, split: str, side: str, features: int = 0, dtype: type[np.generic] | None = None) -> None:
        self._dtype = np.dtype(dtype or (np.float32 if features else np.int32))
        self._values = GrowingArray(values_path(folder, split, side), self._dtype, (features,) if features else ())
        self._offsets = GrowingArray(offsets_path(folder, split, side), np.int64)
        self._offsets.append(np.zeros(1, dtype=np.int64))

    @property
    def rows(self) -> int:
        """Number of rows so far."""
        return self._offsets.rows - 1

    @property
    def num_values(self) -> int:
        """Number of ids or frames so far."""
        return self._values.rows

    def extend(self, rows: Sequence[Sequence[int] | NDArray[Any]]) -> None:
        """Appends rows.

        Args:
            rows: ids, or float frames of the shape (frames, features).
        """
        if rows:
            self.append(FlatRows.of_arrays([np.asarray(row, dtype=self._dtype) for row in rows]))

    def append(self, rows: FlatRows) -> None:
        """Appends flat rows.

        Args:
            rows: of ids below the vocabulary's size, or of frames.
        """
        self._offsets.append(self._values.rows + np.cumsum(rows.lengths, dtype=np.int64))
        self._values.append(rows.values.astype(self._dtype, copy=False))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._values.close()
        self._offsets.close()


def write_ragged(folder: Path, split: str, side: str, rows: Iterable[Sequence[int] | NDArray[Any]], features: int = 0) -> int:
    """The number of rows written to one side of a split.

    Args:
        folder: the output folder of the two files.
        split: ``train``, ``dev`` or ``test``.
        side: ``source`` or ``target``.
        rows: ids, or float frames of the shape (frames, features).
        features: number of features of a frame; 0: the rows are ids.
    """
    with RaggedWriter(folder, split, side, features) as writer:
        for row in rows:
            writer.extend([row])
        return writer.rows
