"""What an encoder hands to a decoder, and what each side must be able to do.

Shapes: B batch, S source length, T target length, D width, N rows being decoded (sentences times hypotheses).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from torch import Tensor


@dataclass(frozen=True)
class Memory:
    """The encoded source.

    Attributes:
        values_BSD: one vector a source position, zero at padding.
        padding_mask_BS: bool, True at padding.
        summary_BD: one vector for the whole source; the bridge makes a recurrent decoder's initial state from it.
    """

    values_BSD: Tensor
    padding_mask_BS: Tensor
    summary_BD: Tensor

    def select(self, rows_N: Tensor) -> Memory:
        """The memory of the given rows, in the given order; a row may be repeated or left out."""
        return Memory(
            self.values_BSD.index_select(0, rows_N),
            self.padding_mask_BS.index_select(0, rows_N),
            self.summary_BD.index_select(0, rows_N),
        )

    def repeat(self, num_hypotheses: int) -> Memory:
        """The memory with each row repeated, the copies of one sentence adjacent (N = B * num_hypotheses)."""
        if num_hypotheses == 1:
            return self
        return Memory(
            self.values_BSD.repeat_interleave(num_hypotheses, dim=0),
            self.padding_mask_BS.repeat_interleave(num_hypotheses, dim=0),
            self.summary_BD.repeat_interleave(num_hypotheses, dim=0),
        )


class DecoderState(Protocol):
    """Everything that decoding carries from one step to the next, the memory included; one row a hypothesis."""

    def select(self, rows_N: Tensor) -> Self:
        """The state of the given rows (int64), in the given order: reorders, repeats and drops hypotheses."""


@dataclass(frozen=True)
class DecoderOutput:
    """What a decoder computes for whole targets.

    Attributes:
        features_BTD: input of the output projection.
        attention_BTS: weights over the source, each row summing to 1; None where the decoder does not keep them.
    """

    features_BTD: Tensor
    attention_BTS: Tensor | None


@dataclass(frozen=True)
class DecoderStep:
    """What a decoder computes for one more position.

    Attributes:
        features_ND: input of the output projection.
        state: for the next step.
        attention_NS: weights over the source, each row summing to 1.
    """

    features_ND: Tensor
    state: DecoderState
    attention_NS: Tensor


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
