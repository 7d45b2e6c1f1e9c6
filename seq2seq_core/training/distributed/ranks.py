"""The ranks that train one model together, seen from one of them; a process that trains alone is the only rank.

Every rank computes shared results itself, from the same numbers. Values that differ between ranks go through this protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from seq2seq_core.training.data.update_plan import PlannedBatch
from seq2seq_core.training.distributed.shares import Piece, whole_pieces

T = TypeVar("T")


class GradientSum(Protocol):
    """Sums the gradients over all ranks."""

    def begin_last(self) -> None:
        """Announces the last backward pass of an update: gradients may be sent as soon as it completes them."""

    def finish(self) -> None:
        """Returns when each parameter has its summed gradient; every rank must call it, even without batches."""


class OptimizerShards(Protocol):
    """The division of the optimiser's state among ranks."""

    def spread_weights(self) -> None:
        """Sends the weights that each rank has updated to all ranks."""

    def gather(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The whole state on rank 0; any other rank gets its own part.

        Args:
            tensors: this rank's part, by names that end with the parameter's name.
        """

    def select_own(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """This rank's part of a whole state.

        Args:
            tensors: tensors of all parameters, each under ``<part>.<parameter>``.
        """


class Ranks(Protocol):
    """One rank of a training, with its connections to the others.

    Attributes:
        rank: its number, from 0; rank 0 logs and writes.
        number: number of ranks.
    """

    rank: int
    number: int

    def share_out(self, batches: Sequence[PlannedBatch]) -> list[Piece]:
        """The pieces of an update that this rank computes.

        Args:
            batches: all batches of the update, the same on every rank.
        """

    def seed_piece(self, seed: int, key: tuple[int, ...]) -> None:
        """Seeds PyTorch's generators for a piece.

        Args:
            seed: seed of the update.
            key: key of the piece.
        """

    def attempt(self, action: Callable[[], list[T]]) -> list[T]:
        """The results of a local action; if it fails, none, and the next :meth:`add_up` raises on every rank.

        Args:
            action: makes no collective calls.
        """

    def add_up(self, values: Sequence[float]) -> list[float]:
        """The sums of numbers over all ranks.

        Args:
            values: the same number of values on every rank.

        Raises:
            Exception: the error of a failed :meth:`attempt`; on the other ranks a fault that describes it.
        """

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, in order.

        Args:
            value: anything that can be pickled.
        """

    def from_first(self, make: Callable[[], T]) -> T:
        """The value that rank 0 makes, on every rank; the others do not call ``make``.

        Args:
            make: gives a result that can be pickled.

        Raises:
            Exception: the error of ``make``; on the other ranks a fault that describes it.
        """

    def tensors_from_first(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of rank 0, on the CPU.

        Args:
            tensors: by name; ignored on other ranks.
        """

    def gradient_sum(self, model: nn.Module) -> GradientSum:
        """The gradient sum of a model."""

    def optimizer_shards(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> OptimizerShards:
        """Removes from an optimiser the parameters that other ranks update.

        Args:
            model: the model with these parameters.
            optimizer: new, of all parameters; changed in place.
        """


class _NothingToSend:
    """Gradients and optimiser of a process that trains alone."""

    def begin_last(self) -> None:
        """See :class:`GradientSum`."""

    def finish(self) -> None:
        """See :class:`GradientSum`."""

    def spread_weights(self) -> None:
        """See :class:`OptimizerShards`."""

    def gather(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See :class:`OptimizerShards`."""
        return dict(tensors)

    def select_own(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See :class:`OptimizerShards`."""
        return dict(tensors)


UNSHARDED = _NothingToSend()
"""The whole optimiser's state on every rank."""


class SingleRank:
    """The only process of a training; see :class:`Ranks`."""

    rank = 0
    number = 1

    def share_out(self, batches: Sequence[PlannedBatch]) -> list[Piece]:
        """See :class:`Ranks`."""
        return whole_pieces(batches)

    def seed_piece(self, seed: int, key: tuple[int, ...]) -> None:
        """See :class:`Ranks`; does nothing: one random stream runs through all batches of an update."""

    def attempt(self, action: Callable[[], list[T]]) -> list[T]:
        """See :class:`Ranks`."""
        return action()

    def add_up(self, values: Sequence[float]) -> list[float]:
        """See :class:`Ranks`."""
        return list(values)

    def gather(self, value: T) -> list[T]:
        """See :class:`Ranks`."""
        return [value]

    def from_first(self, make: Callable[[], T]) -> T:
        """See :class:`Ranks`."""
        return make()

    def tensors_from_first(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """See :class:`Ranks`."""
        return dict(tensors)

    def gradient_sum(self, model: nn.Module) -> GradientSum:
        """See :class:`Ranks`."""
        return UNSHARDED

    def optimizer_shards(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> OptimizerShards:
        """See :class:`Ranks`."""
        return UNSHARDED


SINGLE_RANK = SingleRank()
"""The rank of a process that trains alone."""
