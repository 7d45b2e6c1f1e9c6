"""Sampling by temperature: how often pairs of each group, such as a language, are drawn (Arivazhagan 2019, section 4.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.batching.sampler import find_cuts, sort_by_length
from seq2seq_core.errors import UserError


class TemperatureSampler:
    """Draws each epoch's pairs, as many as there are, a group of n pairs in proportion to n ** (1 / temperature).

    The shares are exact, to a pair, in every epoch. Within a group every pair is drawn equally often, but for a remainder that
    is chosen anew in each epoch. Batches are cut as by :class:`~seq2seq_core.batching.sampler.TokenBucketSampler`.

    Args:
        dataset: the pairs, with their groups.
        batch_tokens: the budget of a batch, padding included.
        seed: with the epoch, all that the choice and the order depend on.
        temperature: 1 draws all pairs equally often, infinity all groups.

    Attributes:
        draws: pairs drawn of each group in an epoch.
        num_batches: batches of the first epoch; others may have a few more or less.

    Raises:
        UserError: the pairs have no groups.
    """

    def __init__(self, dataset: TokenizedDataset, batch_tokens: int, seed: int, temperature: float) -> None:
        if dataset.groups is None:
            raise UserError(
                f"train.sampling_temperature: must be 1 where the tokenised corpus has no groups, got {temperature:g}; "
                "`s2s tokenize` writes them by tokenize.group_columns"
            )
        self.dataset, self.batch_tokens, self.seed = dataset, batch_tokens, seed
        self._members = [np.flatnonzero(dataset.groups == group) for group in range(int(dataset.groups.max(initial=-1)) + 1)]
        self.draws = share_draws(np.array([len(members) for members in self._members]), temperature, len(dataset))
        self.num_batches = len(self.epoch_batches(0))

    def epoch_batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """The batches of an epoch, in order: each the places of its pairs in the dataset.

        Args:
            epoch: 0 or more.
        """
        chance = np.random.default_rng([self.seed, epoch])
        drawn = [_draw(members, int(count), chance) for members, count in zip(self._members, self.draws, strict=True)]
        places = chance.permutation(np.concatenate([np.zeros(0, dtype=np.int64), *drawn]))
        if not len(places):
            return []
        places = places[sort_by_length(self.dataset, places)]
        batches = np.split(places, find_cuts(self.dataset, places, self.batch_tokens))
        return [batches[place] for place in chance.permutation(len(batches))]


def share_draws(sizes: NDArray[np.int64], temperature: float, total: int) -> NDArray[np.int64]:
    """How many of ``total`` draws each group gets: in proportion to its size ** (1 / temperature), rounded by largest remainder.

    Args:
        sizes: pairs of each group; an empty group gets nothing.
        temperature: at least 1.
        total: draws.
    """
    weights = np.where(sizes > 0, np.maximum(sizes, 1) ** (1.0 / temperature), 0.0)
    exact = total * weights / max(weights.sum(), 1.0)
    draws: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    missing = total - int(draws.sum()) if len(sizes) else 0
    draws[np.argsort(draws - exact, kind="stable")[:missing]] += 1
    return draws


def _draw(members: NDArray[np.int64], count: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """``count`` of a group's places: all of them as often as they fit, and a choice without repetition for the rest."""
    if not count:
        return members[:0]
    whole, rest = divmod(count, len(members))
    return np.concatenate([np.tile(members, whole), chance.permutation(members)[:rest]])
