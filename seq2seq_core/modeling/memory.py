"""The memory that an encoder gives to a decoder, and the protocols of both.

Shapes: B batch, S source length, T target length, D width, N rows being decoded (sentences times hypotheses).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from torch import Tensor


@dataclass(frozen=True)
class Memory:
    """The encoded source.

    Attributes:
        values_BSD: one vector per source position, zero at padding.
        padding_mask_BS: bool, True at padding.
        summary_BD: one vector for the whole source; the bridge makes a recurrent decoder's initial state from it.
        ids_BS: the source's ids, position by position, for a model that copies; None if it does not.
    """

    values_BSD: Tensor
    padding_mask_BS: Tensor
    summary_BD: Tensor
    ids_BS: Tensor | None = None

    @property
    def mean_BD(self) -> Tensor:
        """The mean of the vectors at valid positions."""
        return mean_of_valid(self.values_BSD, self.padding_mask_BS)

    def select(self, rows_N: Tensor) -> Memory:
        """The memory of the given rows, in the given order; a row may be repeated or left out."""
        return self._each(lambda tensor: tensor.index_select(0, rows_N))

    def repeat(self, num_hypotheses: int) -> Memory:
        """The memory with each row repeated, the copies of one sentence adjacent (N = B * num_hypotheses)."""
        if num_hypotheses == 1:
            return self
        return self._each(lambda tensor: tensor.repeat_interleave(num_hypotheses, dim=0))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Memory:
        """The memory with each of its tensors changed."""
        ids_BS = None if self.ids_BS is None else change(self.ids_BS)
        return Memory(change(self.values_BSD), change(self.padding_mask_BS), change(self.summary_BD), ids_BS)


def mean_of_valid(values_BSD: Tensor, padding_mask_BS: Tensor) -> Tensor:
    """The mean_BD of the vectors at valid positions.

    Args:
        values_BSD: zero at padding.
        padding_mask_BS: bool, True at padding.
    """
    return values_BSD.sum(dim=1) / (~padding_mask_BS).sum(dim=1, keepdim=True)


class DecoderState(Protocol):
    """The state of decoding between two steps; one row per hypothesis."""

    @property
    def memory(self) -> Memory:
        """The encoded source of each row."""

    def select(self, rows_N: Tensor) -> Self:
        """The state of the given rows (int64), in the given order: reorders, repeats and drops hypotheses."""


@dataclass(frozen=True)
class DecoderOutput:
    """The output of a decoder for whole targets.

    Attributes:
        features_BTD: input of the output projection.
        attention_BTS: weights over the source, each row summing to 1; None where the decoder does not keep them.
    """

    features_BTD: Tensor
    attention_BTS: Tensor | None


@dataclass(frozen=True)
class DecoderStep:
    """The output of a decoder for one more position.

    Attributes:
        features_ND: input of the output projection.
        state: for the next step.
        attention_NS: weights over the source, each row summing to 1; None for a decoder without attention.
    """

    features_ND: Tensor
    state: DecoderState
    attention_NS: Tensor | None


class Encoder(Protocol):
    """Turns embedded sources into a memory. Padding never influences a valid position."""

    def __call__(self, embedded_BSD: Tensor, padding_mask_BS: Tensor) -> Memory:
        """The memory; its time axis may be shorter than the source's, and it carries its own mask."""


class Decoder(Protocol):
    """Reads a memory and the target so far."""

    def __call__(self, embedded_BTD: Tensor, memory: Memory) -> DecoderOutput:
        """The features of every position at once, each seeing only the target positions up to its own (teacher forcing)."""

    def initial_state(self, memory: Memory) -> DecoderState:
        """The state before the first symbol, a row for each row of the memory."""

    def step(self, embedded_ND: Tensor, state: DecoderState) -> DecoderStep:
        """The features of the next position, given the embedded previous symbol."""
