"""The coverage loss (See 2017): a penalty on attending again to what was attended to before.

Shapes: B batch, T target length, S source length.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_core.tokenization.special_tokens import PAD_ID


def coverage_sum(attention_BTS: Tensor, target_out_BT: Tensor) -> Tensor:
    """The sum over source positions of min(weight, coverage)  (See 2017, equation 12), summed over target tokens: with a gradient.

    The coverage of a position is the sum of its weights at all earlier target positions, so that repeated attention costs.

    Args:
        attention_BTS: weights over the source.
        target_out_BT: int64; positions with ``PAD_ID`` are ignored.
    """
    attention_BTS = attention_BTS.float()
    coverage_BTS = attention_BTS.cumsum(dim=1) - attention_BTS
    repeated_BT = torch.minimum(attention_BTS, coverage_BTS).sum(dim=-1)
    return torch.where(target_out_BT.ne(PAD_ID), repeated_BT, 0.0).sum()
