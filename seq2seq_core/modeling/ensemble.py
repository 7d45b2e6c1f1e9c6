"""Several models that decode as one: the log-probability of each symbol is the mean of the members'.

The mean of log-probabilities, normalised, is the geometric mean of the distributions. A search reads it as it reads one model's
logits, so every search decodes with an ensemble, and reports log-probabilities under it. An attention is the mean of the members'.

Shapes: B batch, S source length, T target length, V target vocabulary, N rows being decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from seq2seq_core.batching.batch import Source
from seq2seq_core.modeling.memory import DecoderState, Memory, StepOutput
from seq2seq_core.modeling.seq2seq import Seq2Seq

PREFIX = "members."


@dataclass(frozen=True)
class EnsembleState:
    """The state of each member between two steps.

    Attributes:
        states: of the members, in their order.
    """

    states: tuple[DecoderState, ...]

    @property
    def memory(self) -> Memory:
        """The encoded source of each sentence, as the first member reads it."""
        return self.states[0].memory

    def select(self, rows_N: Tensor, sentences_B: Tensor | None = None) -> Self:
        """See :class:`~seq2seq_core.modeling.memory.DecoderState`."""
        return type(self)(tuple(state.select(rows_N, sentences_B) for state in self.states))


class Ensemble(nn.Module):
    """Models of one architecture and vocabulary that decode as one.

    Args:
        members: at least two.
    """

    def __init__(self, members: Iterable[Seq2Seq]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    @property
    def is_projection(self) -> bool:
        """Never: its logits are a mean of log-probabilities."""
        return False

    def _each(self) -> Sequence[Seq2Seq]:
        return list(self.members)  # type: ignore[arg-type]

    def encode(self, source: Source) -> tuple[Memory, ...]:
        """The sources as each member encodes them.

        Args:
            source: ids_BS or frames_BSF with their lengths, on the models' device.
        """
        return tuple(member.encode(source) for member in self._each())

    def initial_state(self, memory: Sequence[Memory], keep_attention: bool = True) -> EnsembleState:
        """The state before the first symbol, see :meth:`~seq2seq_core.modeling.seq2seq.Seq2Seq.initial_state`.

        Args:
            memory: from :meth:`encode`.
            keep_attention: whether steps give their attention.
        """
        each = zip(self._each(), memory, strict=True)
        return EnsembleState(tuple(member.initial_state(own, keep_attention) for member, own in each))

    def step(self, previous_ids_N: Tensor, state: EnsembleState) -> StepOutput:
        """One more symbol for every row; the logits are mean log-probabilities, and not normalised.

        Args:
            previous_ids_N: int64, the symbol chosen last; the start symbol at first.
            state: from :meth:`initial_state` or the previous step; it serves one step.
        """
        steps = [member.step(previous_ids_N, own) for member, own in zip(self._each(), state.states, strict=True)]
        attentions = [step.attention_NS for step in steps if step.attention_NS is not None]
        attention_NS = torch.stack(attentions).mean(dim=0) if len(attentions) == len(steps) else None
        logits_NV = mean_log_probabilities([step.logits_NV for step in steps])
        return StepOutput(logits_NV, EnsembleState(tuple(step.state for step in steps)), attention_NS)

    def forward(self, source: Source, target_in_BT: Tensor) -> Tensor:
        """The mean log-probabilities of every target position under teacher forcing.

        Args:
            source: see :meth:`encode`.
            target_in_BT: int64, the start symbol and then the targets.

        Returns:
            logits_BTV; position t predicts the symbol that follows target_in_BT[:, t].
        """
        return mean_log_probabilities([member(source, target_in_BT) for member in self._each()])

    def pack_weights(self, is_quantized: bool = False) -> None:
        """See :meth:`~seq2seq_core.modeling.seq2seq.Seq2Seq.pack_weights`.

        Args:
            is_quantized: whether the large matrices are packed at 8 bits.
        """
        for member in self._each():
            member.pack_weights(is_quantized)


AnyModel = Seq2Seq | Ensemble
"""What a bundle holds."""


def mean_log_probabilities(logits: Sequence[Tensor]) -> Tensor:
    """The mean of the members' log-probabilities, at least at float32; logits of the ensemble.

    Args:
        logits: of each member, with the vocabulary as the last axis.
    """
    total, *others = (one.to(torch.promote_types(one.dtype, torch.float32)).log_softmax(dim=-1) for one in logits)
    for one in others:
        total = total + one
    return total / len(logits)


def gather_members(model: Seq2Seq, tensors: Mapping[str, Tensor]) -> AnyModel:
    """The ensemble of stored weights; of one member, the model itself.

    Args:
        model: of the architecture; becomes the first member.
        tensors: the state of an ensemble, of any number of members.
    """
    number = 1 + max(int(name.removeprefix(PREFIX).partition(".")[0]) for name in tensors)
    ensemble = Ensemble([model, *(deepcopy(model) for _ in range(number - 1))])
    ensemble.load_state_dict(dict(tensors))
    return ensemble if number > 1 else model
