"""Maximum likelihood with label smoothing.

Shapes: B batch, T target length, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_core.tokenization.special_tokens import PAD_ID


@dataclass(frozen=True)
class LikelihoodSums:
    """Sums over the target tokens of a batch, padding left out; in nats.

    Attributes:
        objective: what is minimised, a scalar with a gradient.
        negative_log_likelihood: the plain part of it, a scalar without one.
    """

    objective: Tensor
    negative_log_likelihood: Tensor


def likelihood_sums(logits_BTV: Tensor, target_out_BT: Tensor, label_smoothing: float) -> LikelihoodSums:
    """The objective (1 - e) * -log p(y) + e * mean over v of -log p(v)  (Szegedy 2016, section 7), summed over tokens.

    Args:
        logits_BTV: unnormalised log-probabilities.
        target_out_BT: int64, the symbols to predict; ``PAD_ID`` counts for nothing.
        label_smoothing: e, from 0 to below 1.
    """
    log_probs_BTV = torch.log_softmax(logits_BTV.float(), dim=-1)
    is_token_BT = target_out_BT.ne(PAD_ID)
    nll_BT = -log_probs_BTV.gather(-1, target_out_BT.unsqueeze(-1)).squeeze(-1)
    nll = torch.where(is_token_BT, nll_BT, 0.0).sum()
    if not label_smoothing:
        return LikelihoodSums(nll, nll.detach())
    uniform = torch.where(is_token_BT, -log_probs_BTV.mean(dim=-1), 0.0).sum()
    return LikelihoodSums((1.0 - label_smoothing) * nll + label_smoothing * uniform, nll.detach())
