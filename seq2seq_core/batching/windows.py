"""Windows of an epoch: shuffling and sorting a corpus of any size needs the memory of one window.

A window is a set of rows that is shuffled, sorted and cut into batches by itself. It consists of blocks of neighbouring rows, drawn
anew in each epoch: its rows come from the whole corpus, but the disk is read in runs. A corpus of at most ``MOST_WINDOW_ROWS`` rows
is one window: there a batch can have any rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_WINDOW_ROWS = 1 << 18
"""Maximum rows of a window: about 15 MB while it is sorted, and thousands of batches to shuffle."""
BLOCK_ROWS = 64
"""Minimum rows of a block."""
MOST_BLOCKS = 1 << 18
"""Maximum blocks of a corpus: in larger corpora the blocks grow, so that the memory for drawing them is bounded."""


class Windows:
    """The windows of each epoch: every row is in exactly one.

    Args:
        num_rows: rows of the corpus.
        seed: with the epoch, it determines the windows.

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
        """The random stream that shuffles a window."""
        return np.random.default_rng([self.seed, epoch] if self.number == 1 else [self.seed, epoch, 1 + window])

    def _blocks(self, epoch: int) -> NDArray[np.int64]:
        """The blocks in the order of an epoch, window after window."""
        number = -(-self.num_rows // self._block_rows)
        order: NDArray[np.int64] = np.random.default_rng([self.seed, epoch]).permutation(number).astype(np.int64)
        return order
