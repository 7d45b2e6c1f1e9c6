"""What the searches share: the model as they see it, a finished hypothesis, and the next symbol's log-probabilities.

Shapes: N rows being decoded, S source length, T hypothesis length with its end mark, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.batching.batch import Source
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID


class Step(Protocol):
    """One step of a model."""

    @property
    def logits_NV(self) -> Tensor:
        """Unnormalised log-probabilities of the next symbol."""

    @property
    def state(self) -> Any:
        """For the next step; has ``select(rows_N)``."""

    @property
    def attention_NS(self) -> Tensor:
        """Weights over the source."""


class StepModel(Protocol):
    """A model that is decoded symbol by symbol, such as :class:`~seq2seq_core.modeling.seq2seq.Seq2Seq`."""

    def encode(self, source: Source) -> Any:
        """The encoded sources."""

    def initial_state(self, memory: Any, num_hypotheses: int = 1) -> Any:
        """The state before the first symbol; the rows of one sentence are adjacent."""

    def step(self, previous_ids_N: Tensor, state: Any) -> Step:
        """One more symbol for every row."""


@dataclass(frozen=True)
class Hypothesis:
    """A finished hypothesis.

    Attributes:
        ids: the target's ids, without eos.
        score: ``log_probability`` divided by the length penalty; what hypotheses are ranked by.
        log_probability: natural logarithm of the whole hypothesis's probability, eos included.
        attention_TS: weights over the source for each symbol and eos, where asked for; on the CPU.
    """

    ids: tuple[int, ...]
    score: float
    log_probability: float
    attention_TS: Tensor | None = None


def check_evaluation_mode(model: StepModel) -> None:
    """Raises ValueError for a model in training mode: dropout would make its output random."""
    if getattr(model, "training", False):
        raise ValueError("the model is in training mode; call its eval() before decoding")


def next_log_probabilities(logits_NV: Tensor, must_end_N: Tensor) -> Tensor:
    """The log-probability of each possible next symbol, (N, V), at least float32; minus infinity for what may not follow.

    Args:
        logits_NV: of the model.
        must_end_N: bool; rows at their length limit, which only eos may follow.
    """
    log_probabilities_NV = functional.log_softmax(logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32)), dim=-1)
    log_probabilities_NV[:, [PAD_ID, BOS_ID]] = float("-inf")
    forbidden_NV = must_end_N.unsqueeze(1) & (torch.arange(logits_NV.shape[1], device=logits_NV.device) != EOS_ID)
    return log_probabilities_NV.masked_fill_(forbidden_NV, float("-inf"))


def trim_attention(attention_TS: Tensor, source: Source, row: int) -> Tensor:
    """The attention of one sentence without its padding, on the CPU.

    Args:
        attention_TS: over the padded source.
        source: the batch.
        row: the sentence's row in it.
    """
    is_shortened = attention_TS.shape[1] != source.values.shape[1]  # an encoder of frames may have fewer positions
    length = attention_TS.shape[1] if is_shortened else int(source.lengths_B[row])
    return attention_TS[:, :length].float().cpu()
