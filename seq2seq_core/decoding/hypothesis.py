"""Interfaces of the searches: a model decoded step by step, a finished hypothesis, and the length penalty of its score.

Shapes: N rows being decoded, S source length, T hypothesis length with its end mark, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.modeling.memory import Memory


class Step(Protocol):
    """One step of a model."""

    @property
    def logits_NV(self) -> Tensor:
        """Unnormalised log-probabilities of the next symbol; a search may overwrite them."""

    @property
    def state(self) -> Any:
        """The state for the next step; has ``select``, see :class:`~seq2seq_core.modeling.memory.DecoderState`."""

    @property
    def attention_NS(self) -> Tensor | None:
        """Weights over the source; None for a model without attention, or where nobody asked for them."""


class StepModel(Protocol):
    """A model that is decoded symbol by symbol, such as :class:`~seq2seq_core.modeling.seq2seq.Seq2Seq`."""

    def encode(self, source: Source) -> Any:
        """The encoded sources."""

    def initial_state(self, memory: Any, keep_attention: bool = True) -> Any:
        """The state before the first symbol, with one hypothesis for each sentence."""

    def step(self, previous_ids_N: Tensor, state: Any) -> Step:
        """One more symbol for every row; those of a sentence are adjacent. A state serves one step or selection."""


@dataclass(frozen=True)
class Hypothesis:
    """A finished hypothesis.

    Attributes:
        ids: the target's ids, without eos.
        score: ``log_probability`` divided by the length penalty; hypotheses are ranked by it.
        log_probability: natural logarithm of the whole hypothesis's probability under the model, eos and a forced prefix included.
        attention_TS: weights over the source for each symbol and eos, if requested and the model has attention; on the CPU.
        is_cut: whether the length limit ended it, not the model.
    """

    ids: tuple[int, ...]
    score: float
    log_probability: float
    attention_TS: Tensor | None = None
    is_cut: bool = False


def check_evaluation_mode(model: object) -> None:
    """Raises ValueError for a model in training mode: dropout would make its output random."""
    if getattr(model, "training", False):
        raise ValueError("the model is in training mode; call its eval() before decoding")


def append_attention(attention_NTS: Tensor | None, step: Step, places_N: Tensor | None = None) -> Tensor | None:
    """The attention of all steps so far, the present one included; None for a model without attention.

    Args:
        attention_NTS: the attention of earlier steps; None at the first step.
        step: the present step.
        places_N: the row of the step of each hypothesis; None: each has its own, in order.
    """
    if step.attention_NS is None:
        return None
    now_N1S = (step.attention_NS if places_N is None else step.attention_NS.index_select(0, places_N)).unsqueeze(1)
    return now_N1S if attention_NTS is None else torch.cat([attention_NTS, now_N1S], dim=1)


def count_steps(memory: Any, source: Source) -> list[int]:
    """The valid positions of each sentence in the memory, of which a model may make fewer than the source has.

    Args:
        memory: the encoded sources; of an ensemble, those of each member.
        source: the batch.
    """
    memory = memory[0] if isinstance(memory, tuple) else memory
    lengths_B = (~memory.padding_mask_BS).sum(dim=1) if isinstance(memory, Memory) else source.lengths_B
    lengths: list[int] = lengths_B.tolist()
    return lengths


def length_penalty(length: float, exponent: float) -> float:
    """The divisor of a log-probability: ((5 + length) / 6) ** exponent (Wu 2016, equation 14).

    Args:
        length: the hypothesis's tokens, its end mark included.
        exponent: 0 leaves log-probabilities as they are, 1 nearly gives their mean.
    """
    return float(((5 + length) / 6) ** exponent)
