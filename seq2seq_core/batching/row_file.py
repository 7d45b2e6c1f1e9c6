"""NumPy files that are read in runs of rows, without a lasting memory mapping.

A lasting mapping counts every page that was ever read as memory of the process, up to the whole corpus.
"""

from __future__ import annotations

import mmap
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.errors import MissingInput, UserError


class RowFile:
    """An open ``.npy`` file; it stays readable after its name is removed.

    Args:
        path: a file of ``data/tokenized``; stays open.

    Attributes:
        shape: of the whole array.
        dtype: of its elements.

    Raises:
        MissingInput: there is no such file.
        UserError: the file is not an array, or is truncated.
    """

    def __init__(self, path: Path) -> None:
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise MissingInput(f"{path}: no such file; `s2s tokenize` (or `dvc repro tokenize`) makes it") from None
        except (ValueError, EOFError) as error:
            raise UserError(f"{path}: cannot be read ({error}); `s2s tokenize` (or `dvc repro tokenize`) makes it anew") from None
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = array.dtype
        self._first_byte, self._row_bytes = int(array.offset), array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, end: int) -> NDArray[Any]:
        """A copy of the rows ``start`` to ``end - 1``; not writable."""
        content = os.pread(self._descriptor, (end - start) * self._row_bytes, self._first_byte + start * self._row_bytes)
        return np.frombuffer(content, self.dtype).reshape(end - start, *self.shape[1:])

    def map(self) -> NDArray[Any]:
        """The whole array, memory-mapped until its last reference goes: for access to many rows at once."""
        mapped = mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ)
        return np.ndarray(self.shape, self.dtype, buffer=mapped, offset=self._first_byte)
