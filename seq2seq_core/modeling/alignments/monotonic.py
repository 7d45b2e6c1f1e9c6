"""Exact hard monotonic attention (Wu and Cotterell 2019).

Shapes: B batch, S source length, T target length, D width, V target vocabulary, J shifts.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.layers.alignment import Alignment, AlignmentParts
from seq2seq_core.modeling.layers.dropout import Dropout
from seq2seq_core.modeling.layers.packed_weights import linear
from seq2seq_core.modeling.memory import Memory

NUM_SHIFTS = 5
"""Shifts with a score of their own: 0 to 3 positions, and 4 or more."""


class MonotonicAlignment(Alignment):
    """Each symbol is written from the position of the last one or a later one.

    p(a_t = s | a_(t-1) = r) = softmax over s >= r of h_t . W m_s, plus of first order the score u_(s - r) . h_t of the shift;
    p(y_t | a_t = s) = softmax(O tanh(U h_t + V m_s + c) + b)  (Wu and Cotterell 2019, sections 3 and 4).

    Args:
        width: D.
        dropout: probability of dropping an element of the tanh in training.
        order: 0 or 1: whether the way to a position depends on the position before it beyond the ban on going back.
    """

    def __init__(self, width: int, dropout: float, order: int) -> None:
        super().__init__()
        self.score_projection = nn.Linear(width, width, bias=False)
        self.shift_projection = nn.Linear(width, NUM_SHIFTS) if order else None
        self.hidden_projection = nn.Linear(width, width, bias=False)
        self.memory_projection = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    @classmethod
    def of(cls, settings: ModelSection) -> Self:
        """See :class:`~seq2seq_core.modeling.layers.alignment.Alignment`."""
        return cls(settings.width, settings.dropout, settings.alignment_order)

    @classmethod
    def multiply_adds(cls, settings: ModelSection, source: int, target: int, vocabulary: int) -> int:
        """See :class:`~seq2seq_core.modeling.layers.alignment.Alignment`."""
        width = settings.width
        shifts = NUM_SHIFTS * width * target if settings.alignment_order else 0
        return width**2 * (2 * source + target) + width * source * target * (1 + vocabulary) + shifts

    def parts(self, hidden_BTD: Tensor, memory: Memory, weight_VD: Tensor, bias_V: Tensor) -> AlignmentParts:
        """See :class:`~seq2seq_core.modeling.layers.alignment.Alignment`; the reach is log p(a_t | a_(t-1)), reach_BTSS."""
        values_BSD, mask_BS = memory.values_BSD, memory.padding_mask_BS
        score_BTS = torch.bmm(hidden_BTD, self.score_projection(values_BSD).transpose(1, 2)).float()
        position_S = torch.arange(mask_BS.size(1), device=mask_BS.device)
        shift_SS = position_S - position_S.unsqueeze(1)
        score_BTSS = score_BTS.unsqueeze(2).expand(-1, -1, len(position_S), -1)
        if self.shift_projection is not None:
            shift_score_BTJ = self.shift_projection(hidden_BTD).float()
            score_BTSS = score_BTSS + shift_score_BTJ[..., shift_SS.clamp(0, NUM_SHIFTS - 1)]
        is_barred_BSS = (shift_SS < 0) | mask_BS.unsqueeze(1)
        reach_BTSS = torch.log_softmax(score_BTSS.masked_fill(is_barred_BSS.unsqueeze(1), self.impossible), dim=-1)
        hidden_BT1D, memory_B1SD = self.hidden_projection(hidden_BTD).unsqueeze(2), self.memory_projection(values_BSD).unsqueeze(1)
        features_BTSD = self.dropout(torch.tanh(hidden_BT1D + memory_B1SD))
        logits_BTSV = linear(features_BTSD, weight_VD, bias_V).float()
        return AlignmentParts(reach_BTSS, torch.log_softmax(logits_BTSV, dim=-1))

    def prior(self, before_BTS: Tensor, reach: Tensor) -> Tensor:
        """See :class:`~seq2seq_core.modeling.layers.alignment.Alignment`."""
        return torch.logsumexp(before_BTS.unsqueeze(-1) + reach, dim=-2)


ALIGNMENT = MonotonicAlignment
