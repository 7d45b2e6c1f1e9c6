"""Batches of pairs of similar length under a token budget, determined by (seed, epoch)."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.windows import Windows

logger = logging.getLogger(__name__)


class TokenBucketSampler:
    """Cuts each epoch into batches of at most ``batch_tokens`` tokens, padding included.

    A batch of R rows costs R x (longest source + longest target). Pairs are sorted by length with ties in random order, cut where
    the budget ends, and the batches are shuffled: in a small corpus all at once, in a large one window by window
    (:mod:`~seq2seq_core.batching.windows`). A pair that alone exceeds the budget has a batch of its own; none is left out.

    Args:
        dataset: the pairs.
        batch_tokens: the budget.
        seed: with the epoch, it determines the order.

    Attributes:
        num_windows: windows of an epoch.
        batches_per_window: batches of the first window; other windows may differ a little.
        num_batches: batches of an epoch, as exact as ``batches_per_window``.
    """

    def __init__(self, dataset: TokenizedDataset, batch_tokens: int, seed: int) -> None:
        self.batch_tokens, self.seed = batch_tokens, seed
        self.dataset = dataset
        self.windows = Windows(len(dataset), seed)
        self.num_windows = self.windows.number
        self.batches_per_window = self._count_batches()
        self.num_batches = self.num_windows * self.batches_per_window

    def epoch_batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """The batches of an epoch, in order, all at once; see :meth:`window_batches`."""
        return [batch for window in range(self.num_windows) for batch in self.window_batches(epoch, window)]

    def window_batches(self, epoch: int, window: int) -> list[NDArray[np.int64]]:
        """The batches of a window, in order: each the places of its pairs in the dataset.

        Args:
            epoch: 0 or more.
            window: from 0 to below ``num_windows``.
        """
        if not len(self.dataset):
            return []
        chance = self.windows.chance(epoch, window)
        batches = cut_batches(self.dataset, chance.permutation(self.windows.rows(epoch, window)), self.batch_tokens)
        return [batches[place] for place in chance.permutation(len(batches))]

    def in_order(self) -> list[NDArray[np.int64]]:
        """The batches by rising length, with no randomness: for validation."""
        if not len(self.dataset):
            return []
        return cut_batches(self.dataset, np.arange(len(self.dataset), dtype=np.int64), self.batch_tokens)

    def _count_batches(self) -> int:
        """The batches of the first window; warns where some of its pairs alone exceed the budget."""
        if not len(self.dataset):
            return 0
        rows = self.windows.rows(0, 0)
        source, target = self.dataset.lengths(rows)
        if num_oversized := int(np.count_nonzero(source + target > self.batch_tokens)):
            drawn = "" if self.num_windows == 1 else f" (of {len(rows)} that were looked at)"
            logger.warning(
                "train.batch_tokens: %d pairs of %s%s alone exceed %d tokens; each gets a batch of its own",
                num_oversized, self.dataset.split, drawn, self.batch_tokens,
            )  # fmt: skip
        order = order_by_length(source, target)
        return len(find_cuts(source[order], target[order], self.batch_tokens)) + 1


def cut_batches(dataset: TokenizedDataset, places: NDArray[np.int64], batch_tokens: int) -> list[NDArray[np.int64]]:
    """Places of pairs, sorted by length and cut where the budget ends; ties keep their order.

    Args:
        dataset: the pairs.
        places: places of some of them, at least one; a pair may occur more than once.
        batch_tokens: the budget of a batch, padding included.
    """
    source, target = dataset.lengths(places)
    order = order_by_length(source, target)
    return np.split(places[order], find_cuts(source[order], target[order], batch_tokens))


def order_by_length(source: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.int64]:
    """The stable order by source length, then target length, rising and falling in turn.

    The turns avoid batches that span two source lengths with the longest targets of one and the shortest of the next.

    Args:
        source: source lengths.
        target: target lengths, as many.
    """
    order: NDArray[np.int64] = np.lexsort((np.where(source % 2 == 0, target, -target), source)).astype(np.int64, copy=False)
    return order


def find_cuts(source: NDArray[np.int64], target: NDArray[np.int64], batch_tokens: int) -> list[int]:
    """The beginning of each batch except the first: every batch is the longest within the budget, or one pair.

    Args:
        source: source lengths, in the order in which the pairs are cut.
        target: target lengths, as many.
        batch_tokens: the budget of a batch, padding included.
    """
    cuts, start = [], 0
    while start < len(source):
        most = max(1, batch_tokens // int(source[start] + target[start]))  # later pairs never make the longest shorter
        longest = np.maximum.accumulate(source[start : start + most]) + np.maximum.accumulate(target[start : start + most])
        fitting = int(np.searchsorted(longest * np.arange(1, len(longest) + 1), batch_tokens, side="right"))
        start += max(1, fitting)
        cuts.append(start)
    return cuts[:-1]
