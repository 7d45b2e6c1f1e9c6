"""The data of each update: a function of seed and place alone, so that a resumed run continues exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from seq2seq_core.batching.part import Part


class Place(BaseModel):
    """A place in the sequence of updates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int = 0
    """Passes over train before this one; in a phase of several parts, over the part with most batches."""
    window: int = 0
    """Windows of this epoch before the current one; a small corpus has one window per epoch."""
    index: int = 0
    """Updates of this window before this one."""

    @property
    def is_within_epoch(self) -> bool:
        """Whether the epoch has updates before this place."""
        return bool(self.window or self.index)

    @property
    def numbers(self) -> tuple[int, ...]:
        """A unique key of the place; in the first window it does not depend on the number of windows."""
        return (self.epoch, self.index, self.window) if self.window else (self.epoch, self.index)


class PlannedBatch(NamedTuple):
    """One batch of an update."""

    part: Part
    """The part of the update that it belongs to."""
    indices: NDArray[np.int64]
    """The places of its pairs or sentences in the part's dataset."""


@dataclass(frozen=True)
class PlannedUpdate:
    """One update.

    Attributes:
        place: its place in the sequence.
        after: the place of the next one.
        batches: its batches, grouped by part.
    """

    place: Place
    after: Place
    batches: list[PlannedBatch]


class EpochSampler(Protocol):
    """Cuts epochs into batches, such as :class:`~seq2seq_core.batching.sampler.TokenBucketSampler`."""

    num_windows: int
    """Windows of an epoch; batches are computed one window at a time."""
    batches_per_window: int
    """Batches of a window; approximate where windows differ."""
    num_batches: int
    """Batches of an epoch; approximate where windows differ."""

    def window_batches(self, epoch: int, window: int) -> list[NDArray[np.int64]]:
        """The batches of a window, in order; the same at every call."""

    def epoch_batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """The batches of all windows of an epoch."""


class UpdatePlan:
    """The endless sequence of updates.

    An epoch is one pass over the main part, the one with most batches. The other parts repeat at their own pace. Their place
    follows from that of the main part.

    Args:
        samplers: the sampler of each part; at least one.
        accumulation: batches of each part in an update; the last update of a window may have fewer of the main part.
    """

    def __init__(self, samplers: Mapping[Part, EpochSampler], accumulation: int) -> None:
        self.accumulation = accumulation
        self.main = max(samplers, key=lambda part: samplers[part].num_batches)
        self.samplers = dict(samplers)
        self._streams = {part: _Stream(sampler) for part, sampler in samplers.items()}

    @property
    def updates_per_epoch(self) -> int:
        """Number of updates in an epoch; approximate where windows differ."""
        return self.samplers[self.main].num_windows * self._updates_per_window

    @property
    def _updates_per_window(self) -> int:
        """Number of updates in a window of the main part; approximate where windows differ."""
        return -(-self.samplers[self.main].batches_per_window // self.accumulation)

    def updates_from(self, start: Place) -> Iterator[PlannedUpdate]:
        """The updates from a place on, without end."""
        place = start
        while True:
            after = self._place_after(place)
            yield PlannedUpdate(place, after, [batch for part in self.samplers for batch in self._part_batches(part, place)])
            place = after

    def _place_after(self, place: Place) -> Place:
        """The place of the next update."""
        if (place.index + 1) * self.accumulation < len(self._streams[self.main].window(place.epoch, place.window)):
            return place.model_copy(update={"index": place.index + 1})
        if place.window + 1 < self.samplers[self.main].num_windows:
            return Place(epoch=place.epoch, window=place.window + 1)
        return Place(epoch=place.epoch + 1)

    def _part_batches(self, part: Part, place: Place) -> list[PlannedBatch]:
        """The batches of one part in the update at a place."""
        stream, first = self._streams[part], place.index * self.accumulation
        if part == self.main:
            found = stream.window(place.epoch, place.window)[first : first + self.accumulation]
        else:
            windows = place.epoch * self.samplers[self.main].num_windows + place.window
            first += windows * self._updates_per_window * self.accumulation
            found = [stream.batch(first + number) for number in range(self.accumulation)]
        return [PlannedBatch(part, indices) for indices in found]


class _Stream:
    """The batches of a sampler; keeps the last requested window."""

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler
        self._kept, self._batches = (-1, -1), list[NDArray[np.int64]]()

    def window(self, epoch: int, window: int) -> list[NDArray[np.int64]]:
        """All batches of a window."""
        if (epoch, window) != self._kept:
            self._batches = []  # so that two windows are never held at once
            self._batches, self._kept = self.sampler.window_batches(epoch, window), (epoch, window)
        return self._batches

    def batch(self, number: int) -> NDArray[np.int64]:
        """A batch by its number, counted through all windows as if each had the same number of batches."""
        passed, index = divmod(number, self.sampler.batches_per_window)
        batches = self.window(*divmod(passed, self.sampler.num_windows))
        return batches[index % len(batches)]
