"""The processes that train one model together, as one of them sees them; a process that trains alone is the only one.

What is computed from the same numbers is computed by every rank; what differs from rank to rank goes through here.
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
    """Adds the gradients of all ranks up."""

    def begin_last(self) -> None:
        """Called before the last backward pass of an update: gradients that it completes may be sent at once."""

    def finish(self) -> None:
        """Returns when each parameter has the sum of its gradients; every rank calls it, also one that computed nothing."""


class OptimizerShards(Protocol):
    """Which rank keeps the optimiser's state of which parameters."""

    def spread_weights(self) -> None:
        """Gives every rank the weights that one rank has updated."""

    def gather(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The whole state on rank 0.

        Args:
            tensors: this rank's part of it, by names that end with a parameter's.
        """

    def select_own(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """This rank's part of a whole state.

        Args:
            tensors: of all parameters, each under ``<part>.<parameter>``.
        """


class Ranks(Protocol):
    """This process among those that train one model together.

    Attributes:
        rank: its number, from 0; rank 0 logs and writes.
        number: of all ranks.
    """

    rank: int
    number: int

    def share_out(self, batches: Sequence[PlannedBatch]) -> list[Piece]:
        """What this rank computes of an update.

        Args:
            batches: of the whole update.
        """

    def seed_piece(self, seed: int, key: tuple[int, ...]) -> None:
        """Seeds what a piece draws by PyTorch's own generators.

        Args:
            seed: of the update.
            key: of the piece.
        """

    def attempt(self, action: Callable[[], list[T]]) -> list[T]:
        """The results of an action of this rank alone; where it fails, none, and the next :meth:`add_up` fails on every rank.

        Args:
            action: calls nothing that other ranks take part in.
        """

    def add_up(self, values: Sequence[float]) -> list[float]:
        """The sums of numbers over all ranks.

        Args:
            values: as many on every rank.

        Raises:
            Exception: what a rank's attempt raised; on the other ranks a fault that says so.
        """

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, in order.

        Args:
            value: anything that can be pickled.
        """

    def from_first(self, make: Callable[[], T]) -> T:
        """What rank 0 makes; the others call nothing.

        Args:
            make: its result can be pickled.

        Raises:
            Exception: what was raised in making; on the other ranks a fault that says so.
        """

    def tensors_from_first(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of rank 0, on the CPU.

        Args:
            tensors: by name; those of other ranks do not count.
        """

    def gradient_sum(self, model: nn.Module) -> GradientSum:
        """What adds the gradients of a model up."""

    def optimizer_shards(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> OptimizerShards:
        """Takes from an optimiser the parameters that other ranks update.

        Args:
            model: whose parameters it has.
            optimizer: fresh.
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
        """See :class:`Ranks`: the stream of an update runs through its batches."""

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
"""The process trains alone."""
