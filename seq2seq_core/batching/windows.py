"""An epoch of a large corpus as a row of windows, so that shuffling and sorting need the memory of one window whatever the corpus.

A window is a set of rows that is shuffled, sorted and cut into batches by itself. It is made of blocks of neighbouring rows, drawn
anew in each epoch, so that it holds rows of all the corpus and yet reads the disk in runs. A corpus of at most
``MOST_WINDOW_ROWS`` rows is one window: there every batch can hold any rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_WINDOW_ROWS = 1 << 18
"""Rows of a window, at most: some 15 MB while it is sorted, and thousands of batches to shuffle among one another."""
BLOCK_ROWS = 64
"""Rows of a block, at least."""
MOST_BLOCKS = 1 << 18
"""Blocks of a corpus, at most: beyond, they grow, so that drawing them takes no more memory for any corpus."""


class Windows:
    """The windows of each epoch: every row is in exactly one.

    Args:
        num_rows: of the corpus.
        seed: with the epoch, all that the windows depend on.

    Attributes:
        number: windows of an epoch; 1 for a corpus that is small, or empty.
    """

    def __init__(self, num_rows: int, seed: int) -> None:
        self.num_rows, self.seed = num_rows, seed
        self.number = max(1, -(-num_rows // MOST_WINDOW_ROWS))
        self._block_rows = max(BLOCK_ROWS, -(-num_rows // MOST_BLOCKS))

    def rows(self, epoch: int, window: int) -> NDArray[np.int64]:
        """The rows of a window, those of a block one after another.

        Args:
            epoch: 0 or more.
            window: from 0 to below ``number``.
        """
        if self.number == 1:
            return np.arange(self.num_rows, dtype=np.int64)
        blocks = np.array_split(self._blocks(epoch), self.number)[window]
        rows = (blocks[:, None] * self._block_rows + np.arange(self._block_rows)).ravel()
        return rows[rows < self.num_rows]

    def chance(self, epoch: int, window: int) -> np.random.Generator:
        """The randomness that a window is shuffled by."""
        return np.random.default_rng([self.seed, epoch] if self.number == 1 else [self.seed, epoch, 1 + window])

    def _blocks(self, epoch: int) -> NDArray[np.int64]:
        """The blocks in the order of an epoch, the windows' one after another."""
        number = -(-self.num_rows // self._block_rows)
        order: NDArray[np.int64] = np.random.default_rng([self.seed, epoch]).permutation(number).astype(np.int64)
        return order
