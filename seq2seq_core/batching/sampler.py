"""Batches of pairs of like length under a token budget, the same for the same (seed, epoch)."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.batching.dataset import TokenizedDataset

logger = logging.getLogger(__name__)


class TokenBucketSampler:
    """Cuts each epoch into batches of at most ``batch_tokens`` tokens, padding included.

    A batch of R rows costs R x (longest source + longest target). Pairs are sorted by length with ties in random order, cut where
    the budget ends, and the batches shuffled. As the sorted lengths are the same in every epoch, so are the cuts: they are found
    once. A pair that alone exceeds the budget has a batch of its own; none is left out.

    Args:
        dataset: the pairs.
        batch_tokens: the budget.
        seed: with the epoch, all that the order depends on.

    Attributes:
        num_batches: batches of an epoch.
        num_oversized: pairs that alone exceed the budget.
    """

    def __init__(self, dataset: TokenizedDataset, batch_tokens: int, seed: int) -> None:
        self.batch_tokens, self.seed = batch_tokens, seed
        self.dataset = dataset
        self._cuts = find_cuts(dataset, sort_by_length(dataset, self._places()), batch_tokens)
        self.num_batches = len(self._cuts) + 1 if len(dataset) else 0
        self.num_oversized = int(np.count_nonzero(dataset.source_lengths + dataset.target_lengths > batch_tokens))
        if self.num_oversized:
            logger.warning(
                "train.batch_tokens: %d pairs of %s alone exceed %d tokens; each gets a batch of its own",
                self.num_oversized, dataset.split, batch_tokens,
            )  # fmt: skip

    def epoch_batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """The batches of an epoch, in order: each the places of its pairs in the dataset.

        Args:
            epoch: 0 or more.
        """
        if not self.num_batches:
            return []
        chance = np.random.default_rng([self.seed, epoch])
        shuffled: NDArray[np.int64] = chance.permutation(len(self.dataset)).astype(np.int64)
        batches = np.split(shuffled[sort_by_length(self.dataset, shuffled)], self._cuts)
        return [batches[place] for place in chance.permutation(len(batches))]

    def in_order(self) -> list[NDArray[np.int64]]:
        """The batches by rising length, with no randomness: for validation."""
        if not self.num_batches:
            return []
        places = self._places()
        return np.split(places[sort_by_length(self.dataset, places)], self._cuts)

    def _places(self) -> NDArray[np.int64]:
        return np.arange(len(self.dataset), dtype=np.int64)


def sort_by_length(dataset: TokenizedDataset, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The stable order of ``places`` by source length, then target length, rising and falling in turn.

    In turn, so that no batch that spans two source lengths holds the longest targets of one and the shortest of the next.

    Args:
        dataset: the pairs.
        places: of some of them; a pair may stand there more than once.
    """
    source, target = dataset.source_lengths[places], dataset.target_lengths[places]
    order: NDArray[np.int64] = np.lexsort((np.where(source % 2 == 0, target, -target), source)).astype(np.int64)
    return order


def find_cuts(dataset: TokenizedDataset, places: NDArray[np.int64], batch_tokens: int) -> list[int]:
    """Where each batch but the first begins.

    Args:
        dataset: the pairs.
        places: of some of them, in sorted order.
        batch_tokens: the budget of a batch, padding included.
    """
    cuts, start, longest_source, longest_target = [], 0, 0, 0
    lengths = zip(dataset.source_lengths[places].tolist(), dataset.target_lengths[places].tolist(), strict=True)
    for place, (source, target) in enumerate(lengths):
        longest_source, longest_target = max(longest_source, source), max(longest_target, target)
        if place > start and (place + 1 - start) * (longest_source + longest_target) > batch_tokens:
            cuts.append(place)
            start, longest_source, longest_target = place, source, target
    return cuts
