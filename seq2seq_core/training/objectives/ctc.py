"""Connectionist temporal classification (Graves 2006) of the encoder's steps, beside the decoder's loss (Watanabe 2017, eq. 13).

The encoder learns which symbol each part of its source shows, in the source's order, so that attention has something to find from
the first updates on.

Shapes: B batch, S steps of the encoder, T target length, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.batching.batch import Batch
from seq2seq_core.modeling.memory import Memory
from seq2seq_core.tokenization.special_tokens import EOS_ID, PAD_ID

BLANK_ID = PAD_ID
"""The symbol of steps that show none: no target has it."""


def ctc_sum(logits_BSV: Tensor, memory: Memory, batch: Batch, tag_ids: Sequence[int]) -> Tensor:
    """The negative log-probability of the targets by the encoder's own symbols, summed over the batch, in nats: with a gradient.

    A target with more symbols than its source has steps counts as 0. Tags and end marks are left out: no source shows them.

    Args:
        logits_BSV: unnormalised log-probabilities of the symbols of each step.
        memory: says which steps are valid.
        batch: the pairs.
        tag_ids: ids of the target's tags.
    """
    out_BT = batch.target_out_BT
    is_shown_BT = torch.isin(out_BT, out_BT.new_tensor([PAD_ID, EOS_ID, *tag_ids]), invert=True)
    log_probabilities_SBV = functional.log_softmax(logits_BSV.float(), dim=-1).transpose(0, 1)
    lengths_B = (~memory.padding_mask_BS).sum(dim=1)
    return functional.ctc_loss(
        log_probabilities_SBV, out_BT[is_shown_BT], lengths_B, is_shown_BT.sum(dim=1), BLANK_ID, reduction="sum", zero_infinity=True
    )
