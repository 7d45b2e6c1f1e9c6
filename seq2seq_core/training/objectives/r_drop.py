"""R-Drop (Liang 2021): the divergence between two passes of the model with different dropout.

Shapes: B batch, T target length, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_core.tokenization.special_tokens import PAD_ID


def symmetric_divergence(first_BTV: Tensor, second_BTV: Tensor, target_out_BT: Tensor) -> Tensor:
    """The mean of KL(p || q) and KL(q || p), summed over target tokens (Liang 2021, equation 3): a scalar with a gradient.

    Args:
        first_BTV: logits of p.
        second_BTV: logits of q.
        target_out_BT: int64; positions with ``PAD_ID`` are ignored.
    """
    first_BTV, second_BTV = (torch.log_softmax(logits_BTV.float(), dim=-1) for logits_BTV in (first_BTV, second_BTV))
    both_BT = ((first_BTV.exp() - second_BTV.exp()) * (first_BTV - second_BTV)).sum(dim=-1)
    return 0.5 * torch.where(target_out_BT.ne(PAD_ID), both_BT, 0.0).sum()
