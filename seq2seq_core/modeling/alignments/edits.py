"""A transducer over edit actions (Makarov and Clematide 2020), with the sum over all edit sequences in place of an oracle.

The decoder's states read the target so far, not the actions: only so is the sum exact (Graves 2012, section 2.4).

Shapes: B batch, S source length, T target length, D width, V target vocabulary.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.layers.alignment import Alignment, AlignmentParts
from seq2seq_core.modeling.layers.dropout import Dropout
from seq2seq_core.modeling.layers.packed_weights import linear
from seq2seq_core.modeling.memory import Memory
from seq2seq_core.tokenization.special_tokens import EOS_ID


class EditAlignment(Alignment):
    """At source position s the next action is one of: delete s; insert v; replace s by v; copy s.

    All but insertions go on to the next position. The target ends by the insertion of its end mark, at the source's end mark, which
    is never deleted, replaced or copied. The actions have one softmax: insertions and replacements by the output projection of
    tanh(U h_t + V m_s + c), with weights of their own, the others by a linear layer.

    Args:
        width: D.
        dropout: probability of dropping an element of a tanh in training.
        has_copies: whether the source's symbol can be copied: both sides share one vocabulary.
    """

    def __init__(self, width: int, dropout: float, has_copies: bool) -> None:
        super().__init__()
        self.hidden_projection = nn.Linear(width, 2 * width, bias=False)
        self.memory_projection = nn.Linear(width, 2 * width)
        self.has_copies = has_copies
        self.actions = nn.Linear(width, 1 + has_copies)
        self.dropout = Dropout(dropout)

    @classmethod
    def of(cls, settings: ModelSection) -> Self:
        """See :class:`~seq2seq_core.modeling.layers.alignment.Alignment`."""
        return cls(settings.width, settings.dropout, settings.alignment_copies)

    @classmethod
    def multiply_adds(cls, settings: ModelSection, source: int, target: int, vocabulary: int) -> int:
        """See :class:`~seq2seq_core.modeling.layers.alignment.Alignment`."""
        width = settings.width
        return 2 * width**2 * (source + target) + width * source * target * (2 * vocabulary + 1 + settings.alignment_copies)

    def parts(self, hidden_BTD: Tensor, memory: Memory, weight_VD: Tensor, bias_V: Tensor) -> AlignmentParts:
        """See :class:`~seq2seq_core.modeling.layers.alignment.Alignment`; the reach is log p(delete), reach_BTS."""
        hidden_BT1E = self.hidden_projection(hidden_BTD).unsqueeze(2)
        features_BTSE = self.dropout(torch.tanh(hidden_BT1E + self.memory_projection(memory.values_BSD).unsqueeze(1)))
        insert_BTSD, replace_BTSD = features_BTSE.chunk(2, dim=-1)
        logits = [linear(part, weight_VD, bias_V) for part in (insert_BTSD, replace_BTSD)]
        logits_BTSA = torch.cat([*logits, self.actions(insert_BTSD)], dim=-1).float()
        is_barred_BSA = self._barred(memory.padding_mask_BS, len(bias_V))
        actions_BTSA = torch.log_softmax(logits_BTSA.masked_fill(is_barred_BSA.unsqueeze(1), self.impossible), dim=-1)
        insert_BTSV, replace_BTSV, other_BTSA = actions_BTSA.tensor_split([len(bias_V), 2 * len(bias_V)], dim=-1)
        if self.has_copies:
            assert memory.ids_BS is not None, "the model puts them there"
            ids_BTS1 = memory.ids_BS[:, None, :, None].expand(-1, replace_BTSV.size(1), -1, -1)
            copy_BTSV = torch.full_like(replace_BTSV, self.impossible).scatter(-1, ids_BTS1, other_BTSA[..., 1:])
            replace_BTSV = torch.logaddexp(replace_BTSV, copy_BTSV)
        return AlignmentParts(other_BTSA[..., 0], insert_BTSV, replace_BTSV)

    def _barred(self, padding_mask_BS: Tensor, vocabulary: int) -> Tensor:
        """The actions that are impossible at each position, is_barred_BSA: insertions, replacements, deletion, copy."""
        is_last_BS = torch.zeros_like(padding_mask_BS).scatter(1, (~padding_mask_BS).sum(dim=1, keepdim=True) - 1, True)
        is_barred_BSA = is_last_BS.unsqueeze(-1).repeat(1, 1, 2 * vocabulary + 1 + self.has_copies)
        is_barred_BSA[..., :vocabulary] = False
        is_barred_BSA[..., EOS_ID] = ~is_last_BS
        is_barred_BSA[..., vocabulary + EOS_ID] = True
        return is_barred_BSA

    def prior(self, before_BTS: Tensor, reach: Tensor) -> Tensor:
        """See :class:`~seq2seq_core.modeling.layers.alignment.Alignment`; after any number of deletions."""
        deleted_BTS = functional.pad(reach[..., :-1], (1, 0)).cumsum(dim=-1)  # of all positions before each
        return deleted_BTS + torch.logcumsumexp(before_BTS - deleted_BTS, dim=-1)

    def attention(self, prior_BTS: Tensor, reach: Tensor) -> Tensor:
        """See :class:`~seq2seq_core.modeling.layers.alignment.Alignment`; positions that are deleted write nothing."""
        return prior_BTS.exp() * (1.0 - reach.exp())


ALIGNMENT = EditAlignment
