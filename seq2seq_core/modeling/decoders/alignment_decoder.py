"""A recurrent decoder with hard alignment: it gives the probabilities of symbols themselves, summed over all alignments.

Its states read the target so far, and never an alignment. So one pass over the target gives them all, and the sum over alignments
is a recursion over target positions that multiplies nothing but small tables.

Shapes: B batch, S source length, T target length, D width, V target vocabulary, N rows being decoded, K hypotheses of a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seq2seq_core.modeling.decoders.recurrent_decoder import RecurrentDecoder, RecurrentState
from seq2seq_core.modeling.layers.alignment import Alignment, after, marginal, start
from seq2seq_core.modeling.memory import DecoderState, Memory, StepOutput, TeacherForced


@dataclass(frozen=True)
class Written:
    """The last step of each hypothesis, from which the present position follows once its symbol is known.

    Attributes:
        prior_NS: log-probability of reaching each position.
        stay_NSV: of writing a symbol there and staying.
        move_NSV: of writing it and going on; None: never.
    """

    prior_NS: Tensor
    stay_NSV: Tensor
    move_NSV: Tensor | None

    def select(self, rows_N: Tensor) -> Written:
        """Those of the given hypotheses."""
        move_NSV = None if self.move_NSV is None else self.move_NSV.index_select(0, rows_N)
        return Written(self.prior_NS.index_select(0, rows_N), self.stay_NSV.index_select(0, rows_N), move_NSV)

    def after(self, ids_N: Tensor) -> Tensor:
        """The log-probabilities of the position after each hypothesis's symbol, before_NS."""
        stay_NS, move_NS = (None if part is None else _of_symbol(part, ids_N) for part in (self.stay_NSV, self.move_NSV))
        assert stay_NS is not None
        return after(self.prior_NS, stay_NS, move_NS)


@dataclass(frozen=True)
class AlignmentState:
    """The state of decoding between two steps.

    Attributes:
        states: of the recurrent layers, with the memory.
        written: the last step; None before the first symbol.
    """

    states: RecurrentState
    written: Written | None

    @property
    def memory(self) -> Memory:
        """See :class:`~seq2seq_core.modeling.memory.DecoderState`."""
        return self.states.memory

    def select(self, rows_N: Tensor, sentences_B: Tensor | None = None) -> AlignmentState:
        """See :class:`~seq2seq_core.modeling.memory.DecoderState`."""
        written = None if self.written is None else self.written.select(rows_N)
        return AlignmentState(self.states.select(rows_N, sentences_B), written)


class AlignmentDecoder(nn.Module):
    """Recurrent layers without attention, and an alignment.

    Args:
        layers: the recurrent layers.
        alignment: sums over the source positions.
    """

    def __init__(self, layers: RecurrentDecoder, alignment: Alignment) -> None:
        super().__init__()
        self.recurrent, self.alignment = layers, alignment

    def initial_state(self, memory: Memory, keep_attention: bool = True) -> AlignmentState:
        """See :class:`~seq2seq_core.modeling.memory.Decoder`."""
        return AlignmentState(self.recurrent.initial_state(memory), None)

    def marginal(
        self, embedded_BTD: Tensor, target_in_BT: Tensor, memory: Memory, output_weights: tuple[Tensor, Tensor]
    ) -> TeacherForced:
        """The log-probabilities of whole targets; the attention is that of writing each symbol, symbols so far given.

        Args:
            embedded_BTD: embedded targets.
            target_in_BT: int64, the start symbol and then the targets.
            memory: the encoded sources.
            output_weights: weight_VD and bias_V.
        """
        parts = self.alignment.parts(self.recurrent(embedded_BTD, memory).features_BTD, memory, *output_weights)
        next_BT = target_in_BT[:, 1:]
        stay_TBS, move_TBS = (
            [None] * next_BT.size(1) if part is None else _of_symbol(part[:, :-1], next_BT).unbind(dim=1)
            for part in (parts.stay_BTSV, parts.move_BTSV)
        )
        before_BS, reach = start(memory.padding_mask_BS), parts.reach.unbind(dim=1)
        priors = [self.alignment.prior(before_BS, reach[0])]
        for place, (stay_BS, move_BS) in enumerate(zip(stay_TBS, move_TBS, strict=True), start=1):
            assert stay_BS is not None
            before_BS = after(priors[-1], stay_BS, move_BS)
            priors.append(self.alignment.prior(before_BS, reach[place]))
        prior_BTS = torch.stack(priors, dim=1)
        return TeacherForced(marginal(prior_BTS, parts), self.alignment.attention(prior_BTS, parts.reach), memory)

    def step(
        self, embedded_ND: Tensor, previous_ids_N: Tensor, state: DecoderState, output_weights: tuple[Tensor, Tensor]
    ) -> StepOutput:
        """The log-probabilities of the next symbol.

        Args:
            embedded_ND: the embedded previous symbol.
            previous_ids_N: its id; int64.
            state: from :meth:`initial_state` or the previous step.
            output_weights: weight_VD and bias_V.
        """
        assert isinstance(state, AlignmentState)
        recurrent, memory = self.recurrent.step(embedded_ND, state.states), state.memory
        before_NS = start(memory.padding_mask_BS) if state.written is None else state.written.after(previous_ids_N)
        # The hypotheses of a sentence stand where target positions stand in teacher forcing.
        num_sentences, length = memory.padding_mask_BS.shape
        parts = self.alignment.parts(recurrent.features_ND.view(num_sentences, -1, embedded_ND.size(1)), memory, *output_weights)
        prior_BKS = self.alignment.prior(before_NS.view(num_sentences, -1, length), parts.reach)
        move_NSV = None if parts.move_BTSV is None else parts.move_BTSV.flatten(0, 1)
        written = Written(prior_BKS.flatten(0, 1), parts.stay_BTSV.flatten(0, 1), move_NSV)
        assert isinstance(recurrent.state, RecurrentState)
        attention_BKS = self.alignment.attention(prior_BKS, parts.reach)
        log_probabilities_NV = marginal(prior_BKS, parts).flatten(0, 1)
        return StepOutput(log_probabilities_NV, AlignmentState(recurrent.state, written), attention_BKS.flatten(0, 1))


def _of_symbol(parts_BSV: Tensor, ids_B: Tensor) -> Tensor:
    """The log-probabilities of one symbol for each row, of_symbol_BS.

    Args:
        parts_BSV: of all symbols; any number of leading axes.
        ids_B: int64, with the same leading axes.
    """
    index_BS1 = ids_B[..., None, None].expand(*parts_BSV.shape[:-1], 1)
    return parts_BSV.gather(-1, index_BS1).squeeze(-1)
