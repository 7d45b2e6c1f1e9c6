"""Which pairs and sentences each update is made of: a function of seed and place, so that a resumed run goes on exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from seq2seq_core.batching.part import Part


class Place(BaseModel):
    """A place in the run of updates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int = 0
    """Passes over train, or over what has most batches in a phase of several parts, before this one."""
    index: int = 0
    """Updates of this epoch before this one."""


class PlannedBatch(NamedTuple):
    """One batch of an update."""

    part: Part
    """What it is to the update."""
    indices: NDArray[np.int64]
    """The places of its pairs or sentences in the part's dataset."""


@dataclass(frozen=True)
class PlannedUpdate:
    """One update.

    Attributes:
        place: where it stands.
        after: the place of the next one.
        batches: what it is made of, part after part.
    """

    place: Place
    after: Place
    batches: list[PlannedBatch]


class EpochSampler(Protocol):
    """Cuts epochs into batches, such as :class:`~seq2seq_core.batching.sampler.TokenBucketSampler`."""

    num_batches: int
    """Batches of an epoch, at least about."""

    def epoch_batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """The batches of an epoch, in order; the same at every call."""


class UpdatePlan:
    """The endless sequence of updates.

    An epoch is a pass over the part with most batches, the main one. The others are gone through at their own pace, over and over:
    how far they are follows from the number of updates that the main one has had.

    Args:
        samplers: give the batches of each epoch of each part; at least one.
        accumulation: batches of each part in an update; the last update of an epoch may have fewer of the main part.
    """

    def __init__(self, samplers: Mapping[Part, EpochSampler], accumulation: int) -> None:
        self.accumulation = accumulation
        self.main = max(samplers, key=lambda part: samplers[part].num_batches)
        self.samplers = dict(samplers)
        self._streams = {part: _Stream(sampler) for part, sampler in samplers.items()}

    @property
    def updates_per_epoch(self) -> int:
        """Number of updates in an epoch; about, where epochs differ."""
        return -(-self.samplers[self.main].num_batches // self.accumulation)

    def updates_from(self, start: Place) -> Iterator[PlannedUpdate]:
        """The updates from a place on, without end."""
        place = start
        while True:
            is_last = (place.index + 1) * self.accumulation >= len(self._streams[self.main].epoch(place.epoch))
            after = Place(epoch=place.epoch + 1) if is_last else Place(epoch=place.epoch, index=place.index + 1)
            yield PlannedUpdate(place, after, [batch for part in self.samplers for batch in self._part_batches(part, place)])
            place = after

    def _part_batches(self, part: Part, place: Place) -> list[PlannedBatch]:
        """The batches of one part in the update at a place."""
        stream, first = self._streams[part], place.index * self.accumulation
        if part == self.main:
            found = stream.epoch(place.epoch)[first : first + self.accumulation]
        else:
            first += place.epoch * self.updates_per_epoch * self.accumulation
            found = [stream.batch(first + number) for number in range(self.accumulation)]
        return [PlannedBatch(part, indices) for indices in found]


class _Stream:
    """The batches of a sampler, with the last epoch that was asked for kept."""

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler
        self._epoch, self._batches = -1, list[NDArray[np.int64]]()

    def epoch(self, epoch: int) -> list[NDArray[np.int64]]:
        """All batches of an epoch."""
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self.sampler.epoch_batches(epoch)
        return self._batches

    def batch(self, number: int) -> NDArray[np.int64]:
        """A batch by its number, counted through all epochs as if each had the same number of batches."""
        batches = self.epoch(number // self.sampler.num_batches)
        return batches[number % self.sampler.num_batches % len(batches)]
