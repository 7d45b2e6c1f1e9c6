"""Writer of NumPy arrays that grow on disk, as plain ``.npy`` files, in constant memory."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray


class GrowingArray:
    """A ``.npy`` file that rows are appended to; :func:`numpy.load` reads it once it is closed.

    Args:
        path: the ``.npy`` file; overwritten.
        dtype: the type of the elements.
        row_shape: the shape of a row: ``()`` for a 1-D array, ``(F,)`` for a 2-D one.

    Attributes:
        rows: number of rows so far.
    """

    def __init__(self, path: Path, dtype: DTypeLike, row_shape: tuple[int, ...] = ()) -> None:
        self.path, self.dtype, self.row_shape, self.rows = path, np.dtype(dtype), row_shape, 0
        self._file: IO[bytes] = path.open("wb")
        self._write_header()
        self._header_bytes = self._file.tell()

    def append(self, rows: NDArray[Any]) -> None:
        """Adds rows at the end.

        Args:
            rows: ``(n, *row_shape)``, of a type that ``dtype`` can hold.
        """
        if rows.shape[1:] != self.row_shape:
            raise ValueError(f"{self.path.name}: rows must have the shape {self.row_shape}, got {rows.shape[1:]}")
        self._file.write(np.ascontiguousarray(rows.astype(self.dtype, casting="same_kind", copy=False)).data)
        self.rows += len(rows)

    def close(self) -> None:
        """Writes the final shape into the header."""
        self._file.seek(0)
        self._write_header()
        assert self._file.tell() == self._header_bytes, "NumPy leaves room in a header for the first axis to grow"
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _write_header(self) -> None:
        descr = cast(str, np.lib.format.dtype_to_descr(self.dtype))
        shape = (self.rows, *self.row_shape)
        np.lib.format.write_array_header_1_0(self._file, {"descr": descr, "fortran_order": False, "shape": shape})
