"""Which pairs each update is made of: a function of the seed and the place in the run, so that a resumed run goes on exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict


class Place(BaseModel):
    """A place in the run of updates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int = 0
    """Passes over train before this one."""
    index: int = 0
    """Updates of this epoch before this one."""


@dataclass(frozen=True)
class PlannedUpdate:
    """One update.

    Attributes:
        place: where it stands.
        after: the place of the next one.
        batches: the pairs of each of its batches, as indices into train.
    """

    place: Place
    after: Place
    batches: list[NDArray[np.int64]]


class EpochSampler(Protocol):
    """Cuts epochs into batches, such as :class:`~seq2seq_core.batching.sampler.TokenBucketSampler`."""

    num_batches: int
    """Batches of an epoch, at least about."""

    def epoch_batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """The batches of an epoch, in order; the same at every call."""


class UpdatePlan:
    """The endless sequence of updates.

    Args:
        sampler: gives the batches of each epoch.
        accumulation: batches an update; the last update of an epoch may have fewer.
    """

    def __init__(self, sampler: EpochSampler, accumulation: int) -> None:
        self.sampler, self.accumulation = sampler, accumulation

    @property
    def updates_per_epoch(self) -> int:
        """Number of updates in an epoch; about, where epochs differ."""
        return -(-self.sampler.num_batches // self.accumulation)

    def updates_from(self, start: Place) -> Iterator[PlannedUpdate]:
        """The updates from a place on, without end."""
        epoch, index = start.epoch, start.index
        while True:
            batches = self.sampler.epoch_batches(epoch)
            for first in range(index * self.accumulation, len(batches), self.accumulation):
                place = Place(epoch=epoch, index=first // self.accumulation)
                is_last = first + self.accumulation >= len(batches)
                after = Place(epoch=epoch + 1) if is_last else Place(epoch=epoch, index=place.index + 1)
                yield PlannedUpdate(place, after, batches[first : first + self.accumulation])
            epoch, index = epoch + 1, 0
