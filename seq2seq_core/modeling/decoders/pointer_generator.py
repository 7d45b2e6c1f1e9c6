"""Copying from the source beside generating (See 2017, section 2.2).

Source and target share one vocabulary, so that copying a source token means choosing its id. The extended vocabulary of See 2017,
for unknown words, is not needed: subwords and bytes spell them.

Shapes: B batch, S source length, T target length, D width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

TINY = 1e-30
"""Replaces a probability of 0 before its logarithm is taken."""


class PointerGenerator(nn.Module):
    """p(w) = g softmax(logits)(w) + (1 - g) sum of the attention on source positions that hold w  (See 2017, equation 9).

    The gate is g = sigmoid(W [features; embedded] + b)  (equation 8; the features stand for context and state together).

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2 * width, 1)

    def forward(
        self, logits_BTV: Tensor, features_BTD: Tensor, embedded_BTD: Tensor, attention_BTS: Tensor, source_ids_BS: Tensor
    ) -> Tensor:
        """The logarithm of the mixture, log_probabilities_BTV, float32; their softmax is the mixture itself.

        Args:
            logits_BTV: from the output projection.
            features_BTD: the features of these logits.
            embedded_BTD: the decoder's inputs.
            attention_BTS: weights over the source; 0 at padding.
            source_ids_BS: int64, the source's ids.
        """
        gate_BT1 = self.gate(torch.cat([features_BTD, embedded_BTD], dim=-1)).float()
        generated_BTV = functional.log_softmax(logits_BTV.float(), dim=-1) + functional.logsigmoid(gate_BT1)
        copied_BTV = torch.zeros_like(generated_BTV).scatter_add(
            2, source_ids_BS.unsqueeze(1).expand_as(attention_BTS), attention_BTS.float()
        )
        return torch.logaddexp(generated_BTV, copied_BTV.clamp_min(TINY).log() + functional.logsigmoid(-gate_BT1))
