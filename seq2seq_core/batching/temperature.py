"""Sampling by temperature: how often pairs of each group, such as a language, are drawn (Arivazhagan 2019, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.sampler import cut_batches
from seq2seq_core.batching.windows import Windows
from seq2seq_core.errors import UserError


class TemperatureSampler:
    """Draws as many pairs per epoch as there are, a group of n pairs in proportion to n ** (1 / temperature).

    The shares are exact, to a pair, in every epoch. Within a group every pair is drawn equally often, except for a remainder
    that is chosen anew in each epoch. Batches are cut as by :class:`~seq2seq_core.batching.sampler.TokenBucketSampler`.

    Args:
        dataset: the pairs, with their groups.
        batch_tokens: the budget of a batch, padding included.
        seed: with the epoch, it determines the choice and the order.
        temperature: 1 draws all pairs equally often, infinity all groups.

    Attributes:
        draws: pairs drawn of each group in an epoch.
        num_windows: windows of an epoch; each draws from its own pairs, and all together draw as the whole would.
        batches_per_window: batches of the first window of the first epoch; others may have a few more or less.
        num_batches: batches of an epoch, as exact as ``batches_per_window``.

    Raises:
        UserError: the pairs have no groups.
    """

    def __init__(self, dataset: TokenizedDataset, batch_tokens: int, seed: int, temperature: float) -> None:
        groups = dataset.groups
        if groups is None:
            raise UserError(
                f"train.sampling_temperature: must be 1 where the tokenised corpus has no groups, got {temperature:g}; "
                "`s2s tokenize` writes them by tokenize.group_columns"
            )
        self.dataset, self.batch_tokens, self.seed = dataset, batch_tokens, seed
        self.windows = Windows(len(dataset), seed)
        self.num_windows = self.windows.number
        self.num_groups = int(groups.max(initial=-1)) + 1
        del groups  # ends the mapping
        self.sizes = sum(self._count_members(0), start=np.zeros(self.num_groups, dtype=np.int64))
        self.draws = share_draws(self.sizes, temperature, len(dataset))
        self._counted_epoch, self._counts = -1, np.zeros((0, 0), dtype=np.int64)
        self.batches_per_window = len(self.window_batches(0, 0))
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
        chance, rows = self.windows.chance(epoch, window), self.windows.rows(epoch, window)
        groups = self._groups_of(rows)
        members = [rows[groups == group] for group in range(self.num_groups)]
        counts = self._window_draws(epoch, window).tolist()
        drawn = [_draw(own, count, chance) for own, count in zip(members, counts, strict=True)]
        places = chance.permutation(np.concatenate([np.zeros(0, dtype=np.int64), *drawn]))
        if not len(places):
            return []
        batches = cut_batches(self.dataset, places, self.batch_tokens)
        return [batches[place] for place in chance.permutation(len(batches))]

    def _window_draws(self, epoch: int, window: int) -> NDArray[np.int64]:
        """The draws of each group in a window: those due after it minus those due before it; over an epoch, ``draws``."""
        if self.num_windows == 1:
            return self.draws
        if epoch != self._counted_epoch:
            self._counted_epoch, self._counts = epoch, np.stack(list(self._count_members(epoch)))
        after = self._counts[: window + 1].sum(axis=0)
        sizes = np.maximum(self.sizes, 1)
        draws: NDArray[np.int64] = after * self.draws // sizes - (after - self._counts[window]) * self.draws // sizes
        return draws

    def _count_members(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """The number of pairs of each group in each window of an epoch."""
        for window in range(self.num_windows):
            yield np.bincount(self._groups_of(self.windows.rows(epoch, window)), minlength=self.num_groups)

    def _groups_of(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """The groups of some pairs."""
        groups = self.dataset.groups
        assert groups is not None
        return groups[rows]


def share_draws(sizes: NDArray[np.int64], temperature: float, total: int) -> NDArray[np.int64]:
    """The share of each group in ``total`` draws: in proportion to its size ** (1 / temperature), rounded by largest remainder.

    Args:
        sizes: pairs of each group; an empty group gets nothing.
        temperature: at least 1.
        total: draws of all groups together.
    """
    weights = np.where(sizes > 0, np.maximum(sizes, 1) ** (1.0 / temperature), 0.0)
    exact = total * weights / max(weights.sum(), 1.0)
    draws: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    missing = total - int(draws.sum()) if len(sizes) else 0
    draws[np.argsort(draws - exact, kind="stable")[:missing]] += 1
    return draws


def _draw(members: NDArray[np.int64], count: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """``count`` of a group's places: all of them as often as possible, then a random choice without repetition for the rest."""
    if not count:
        return members[:0]
    whole, rest = divmod(count, len(members))
    return np.concatenate([np.tile(members, whole), chance.permutation(members)[:rest]])
