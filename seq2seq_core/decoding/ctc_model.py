"""A model whose next symbol is also judged by its encoder's own symbols: joint decoding by attention and CTC.

The log-probability of a symbol is (1 - w) log p_attention + w log p_ctc, normalised (Watanabe 2017, section II.C). The second is
that of all targets that begin with the symbol, among those that begin with what is decoded so far (Graves 2008, section 7.5).
A search reads the sum as it reads one model's logits, so every search decodes so.

Shapes: B sentences, S steps of the encoder, V target vocabulary, N rows being decoded, K rows of a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.modeling.memory import DecoderState, Memory, StepOutput
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID

BLANK_ID = PAD_ID
"""The symbol of steps that show none, as in training."""
LEAST = -30.0
"""Lower bound of the log-probability of a symbol at a step: a symbol that the encoder never expects stays possible."""
NEVER = -1e9
"""Log-probability of what cannot be: finite, so that a symbol that a prefix forces can be weighed."""


@dataclass(frozen=True)
class CtcState:
    """The state of both sides between two steps.

    Attributes:
        inner: of the decoder.
        log_probabilities_BSV: of the encoder's symbols, float64; of padding all blank.
        symbol_NS: log-probability that the symbols so far are shown by the steps up to each, the last of which shows one.
        blank_NS: the same where the last step shows none.
        total_N: log-probability of all targets that begin with the symbols so far.
        last_N: the last symbol that a source shows; BOS_ID: there is none yet.
    """

    inner: DecoderState
    log_probabilities_BSV: Tensor
    symbol_NS: Tensor
    blank_NS: Tensor
    total_N: Tensor
    last_N: Tensor

    @property
    def memory(self) -> Memory:
        """The encoded source of each sentence."""
        return self.inner.memory

    def select(self, rows_N: Tensor, sentences_B: Tensor | None = None) -> Self:
        """See :class:`~seq2seq_core.modeling.memory.DecoderState`."""
        steps = self.log_probabilities_BSV
        return replace(
            self,
            inner=self.inner.select(rows_N, sentences_B),
            log_probabilities_BSV=steps if sentences_B is None else steps.index_select(0, sentences_B),
            symbol_NS=self.symbol_NS.index_select(0, rows_N),
            blank_NS=self.blank_NS.index_select(0, rows_N),
            total_N=self.total_N.index_select(0, rows_N),
            last_N=self.last_N.index_select(0, rows_N),
        )


class CtcModel:
    """Decodes by attention and CTC together.

    Args:
        model: has symbols of its encoder.
        weight: w, above 0 and at most 1; with 1 attention has no say.
    """

    def __init__(self, model: Seq2Seq, weight: float) -> None:
        self.model, self.weight = model, weight
        silent = [PAD_ID, BOS_ID, *model.silent_ids]
        self.silent_ids = torch.tensor(silent, device=model.target_embedding.table.weight.device)

    def encode(self, source: Source) -> Memory:
        """See :meth:`~seq2seq_core.modeling.seq2seq.Seq2Seq.encode`."""
        return self.model.encode(source)

    def initial_state(self, memory: Memory, keep_attention: bool = True) -> CtcState:
        """The state before the first symbol, see :meth:`~seq2seq_core.modeling.seq2seq.Seq2Seq.initial_state`."""
        logits_BSV = self.model.ctc_logits(memory).double()
        log_probabilities_BSV = logits_BSV.log_softmax(dim=-1).clamp(min=LEAST)
        # Steps behind the source show nothing, for certain: so the end of the array is the end of every source.
        padding = torch.full_like(log_probabilities_BSV[0, 0], NEVER)
        padding[BLANK_ID] = 0.0
        log_probabilities_BSV = torch.where(memory.padding_mask_BS.unsqueeze(-1), padding, log_probabilities_BSV)
        blank_BS = log_probabilities_BSV[:, :, BLANK_ID].cumsum(dim=1)
        total_B = blank_BS.new_zeros(len(blank_BS))
        last_B = torch.full((len(blank_BS),), BOS_ID, dtype=torch.int64, device=blank_BS.device)
        inner = self.model.initial_state(memory, keep_attention)
        return CtcState(inner, log_probabilities_BSV, torch.full_like(blank_BS, NEVER), blank_BS, total_B, last_B)

    def step(self, previous_ids_N: Tensor, state: CtcState) -> StepOutput:
        """One more symbol for every row, see :meth:`~seq2seq_core.modeling.seq2seq.Seq2Seq.step`."""
        state = self._advance(previous_ids_N, state)
        step = self.model.step(previous_ids_N, state.inner)
        shown_NV = self._next_totals(state) - state.total_N.unsqueeze(1)
        attended_NV = step.logits_NV.double().log_softmax(dim=-1)
        mixed_NV = (1.0 - self.weight) * attended_NV + self.weight * shown_NV
        mixed_NV[:, self.silent_ids] = attended_NV[:, self.silent_ids]
        return replace(step, logits_NV=mixed_NV.float(), state=replace(state, inner=step.state))

    def _advance(self, ids_N: Tensor, state: CtcState) -> CtcState:
        """The state behind one more symbol of each row; a symbol that no source shows changes nothing."""
        before_NS, shows_NS = self._before(state, ids_N), self._steps_of(ids_N, state)
        symbol_NS = _accumulate(before_NS, shows_NS)
        blank_NS = _accumulate(_shift(symbol_NS, NEVER), self._steps_of(torch.full_like(ids_N, BLANK_ID), state))
        total_N = torch.logsumexp(before_NS + shows_NS, dim=1)
        is_silent_N = torch.isin(ids_N, self.silent_ids) | (ids_N == EOS_ID)
        kept_N1 = is_silent_N.unsqueeze(1)
        return replace(
            state,
            symbol_NS=torch.where(kept_N1, state.symbol_NS, symbol_NS),
            blank_NS=torch.where(kept_N1, state.blank_NS, blank_NS),
            total_N=torch.where(is_silent_N, state.total_N, total_N),
            last_N=torch.where(is_silent_N, state.last_N, ids_N),
        )

    def _next_totals(self, state: CtcState) -> Tensor:
        """The log-probability of all targets that begin with the symbols so far and each further one: totals_NV."""
        steps_BSV = state.log_probabilities_BSV
        any_NS, again_NS = self._before(state, torch.full_like(state.last_N, BOS_ID)), self._before(state, state.last_N)
        most_N1 = any_NS.amax(dim=1, keepdim=True).clamp(min=NEVER)
        shares_BKS = (any_NS - most_N1).exp().view(len(steps_BSV), -1, steps_BSV.size(1))
        shown_NV = torch.bmm(shares_BKS, steps_BSV.exp()).flatten(0, 1)
        totals_NV = shown_NV.clamp(min=1e-300).log() + most_N1
        last_N1 = state.last_N.unsqueeze(1)
        repeated_NS = again_NS + self._steps_of(state.last_N, state)
        totals_NV = totals_NV.scatter(1, last_N1, torch.logsumexp(repeated_NS, dim=1, keepdim=True))
        totals_NV[:, EOS_ID] = torch.logaddexp(state.symbol_NS[:, -1], state.blank_NS[:, -1])
        return totals_NV.clamp(min=NEVER)

    def _steps_of(self, ids_N: Tensor, state: CtcState) -> Tensor:
        """The log-probability of a symbol of each row at each step: steps_NS."""
        steps_BSV = state.log_probabilities_BSV
        ids_BSK = ids_N.view(len(steps_BSV), 1, -1).expand(-1, steps_BSV.size(1), -1)
        return steps_BSV.gather(2, ids_BSK).transpose(1, 2).flatten(0, 1)

    def _before(self, state: CtcState, ids_N: Tensor) -> Tensor:
        """The log-probability that the symbols so far are shown before each step, so that a symbol may begin there: before_NS.

        A symbol that repeats the last one needs a step without any between the two.
        """
        is_again_N1 = (ids_N == state.last_N).unsqueeze(1) & (ids_N != BOS_ID).unsqueeze(1)
        symbol_NS = torch.where(is_again_N1, NEVER, state.symbol_NS)
        before_NS = _shift(torch.logaddexp(symbol_NS, state.blank_NS), NEVER)
        before_NS[:, 0] = torch.where(state.last_N == BOS_ID, 0.0, NEVER)
        return before_NS


def _shift(values_NS: Tensor, first: float) -> Tensor:
    """The value of the step before each; a given one before the first."""
    return torch.cat([values_NS.new_full((len(values_NS), 1), first), values_NS[:, :-1]], dim=1)


def _accumulate(entry_NS: Tensor, stay_NS: Tensor) -> Tensor:
    """r(s) = log(exp r(s - 1) + exp entry(s)) + stay(s), all steps at once."""
    stayed_NS = stay_NS.cumsum(dim=1)
    accumulated: Tensor = stayed_NS + torch.logcumsumexp(entry_NS - _shift(stayed_NS, 0.0), dim=1)
    return accumulated.clamp(min=NEVER)
