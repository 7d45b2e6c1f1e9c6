"""The memory that an encoder gives to a decoder, the protocols of both, and what comes of them.

Shapes: B batch, S source length, T target length, D width, V target vocabulary, N rows being decoded
(sentences times hypotheses).

The hypotheses of a sentence are adjacent rows, and every sentence has as many as the others. They share the sentence's row of the
memory: in an attention over it they are so many queries of one sentence.
"""

from __future__ import annotations

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

    def select(self, sentences_B: Tensor) -> Memory:
        """The memory of the given sentences (int64), in the given order; one may be repeated or left out."""
        ids_BS = None if self.ids_BS is None else self.ids_BS.index_select(0, sentences_B)
        values_BSD, mask_BS = self.values_BSD.index_select(0, sentences_B), self.padding_mask_BS.index_select(0, sentences_B)
        return Memory(values_BSD, mask_BS, self.summary_BD.index_select(0, sentences_B), ids_BS)


def mean_of_valid(values_BSD: Tensor, padding_mask_BS: Tensor) -> Tensor:
    """The mean_BD of the vectors at valid positions.

    Args:
        values_BSD: zero at padding.
        padding_mask_BS: bool, True at padding.
    """
    return values_BSD.sum(dim=1) / (~padding_mask_BS).sum(dim=1, keepdim=True)


class DecoderState(Protocol):
    """The state of decoding between two steps.

    It serves one step or one selection: these may reuse its tensors.
    """

    @property
    def memory(self) -> Memory:
        """The encoded source of each sentence."""

    def select(self, rows_N: Tensor, sentences_B: Tensor | None = None) -> Self:
        """The state of the given hypotheses: reorders, repeats and drops them.

        Args:
            rows_N: int64, the present row of each; those of a sentence adjacent, and as many for each sentence.
            sentences_B: int64, the present place of each of their sentences; None: all sentences stay in place.
        """


@dataclass(frozen=True)
class DecoderOutput:
    """The output of a decoder for whole targets.

    Attributes:
        features_BTD: input of the output projection.
        attention_BTS: weights over the source, each row summing to 1; None where the decoder does not keep them.
    """

    features_BTD: Tensor
    attention_BTS: Tensor | None
    memory: Memory | None = None


@dataclass(frozen=True)
class DecoderStep:
    """The output of a decoder for one more position.

    Attributes:
        features_ND: input of the output projection.
        state: for the next step.
        attention_NS: weights over the source, each row summing to 1; None for a decoder without attention, or where the state was
            not asked to keep it.
    """

    features_ND: Tensor
    state: DecoderState
    attention_NS: Tensor | None


@dataclass(frozen=True)
class TeacherForced:
    """The output of a model for whole targets.

    Attributes:
        logits_BTV: unnormalised log-probabilities; position t predicts the symbol that follows the target's first t + 1.
        attention_BTS: weights over the source, each row summing to 1; None where the decoder does not keep them.
        memory: the encoded sources; None where nobody asked for them.
    """

    logits_BTV: Tensor
    attention_BTS: Tensor | None
    memory: Memory | None = None


@dataclass(frozen=True)
class StepOutput:
    """One step of decoding.

    Attributes:
        logits_NV: unnormalised log-probabilities of the next symbol.
        state: for the next step.
        attention_NS: weights over the source, each row summing to 1; None for a decoder without attention, or where the state was
            not asked to keep it.
    """

    logits_NV: Tensor
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

    def initial_state(self, memory: Memory, keep_attention: bool = True) -> DecoderState:
        """The state before the first symbol, with one hypothesis for each sentence.

        Args:
            memory: the encoded sources.
            keep_attention: whether steps give their attention; a Transformer is faster without.
        """

    def step(self, embedded_ND: Tensor, state: DecoderState) -> DecoderStep:
        """The features of the next position, given the embedded previous symbol."""
