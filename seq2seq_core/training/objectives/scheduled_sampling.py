"""Scheduled sampling (Bengio 2015) in two passes (Mihaylova and Martins 2019): the decoder reads some of its own predictions.

Shapes: B batch, T target length, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.regularization import ScheduledSampling
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID

LARGEST_EXPONENT = 700.0
"""Beyond it the exponential overflows, and the probability is practically 0 anyway."""


def reference_probability(step: int, settings: ScheduledSampling) -> float:
    """The probability that the decoder reads the reference rather than its own prediction (Bengio 2015, section 2.4).

    Args:
        step: number of the update in its phase, from 1.
        settings: the decay and its bounds.
    """
    k = settings.decay_steps
    match settings.decay:
        case "none":
            return 1.0
        case "linear":
            probability = 1.0 - step / k
        case "inverse_sigmoid":
            probability = k / (k + math.exp(min(step / k, LARGEST_EXPONENT)))
        case unknown:
            assert_never(unknown)
    return max(probability, settings.lowest_probability)


@torch.no_grad()
def mix_in_predictions(model: Seq2Seq, batch: Batch, probability: float, seed: int, tag_ids: Sequence[int] = ()) -> Tensor:
    """The decoder's inputs: the references, some replaced by the model's predictions; (B, T) int64.

    The predictions are drawn from the model without dropout, given the references. The start symbol, tags and padding are never
    replaced.

    Args:
        model: in training mode, before and after.
        batch: on the model's device.
        probability: probability of keeping a reference symbol.
        seed: seed of the choice and of the predictions.
        tag_ids: ids of the target's tags, which are given to the decoder and never predicted.
    """
    model.eval()
    logits_BTV = model(batch.source, batch.target_in_BT).float()
    model.train()
    # When the model decodes, none of these comes before another symbol.
    logits_BTV[:, :, [PAD_ID, BOS_ID, EOS_ID, *tag_ids]] = float("-inf")
    chance = torch.Generator(logits_BTV.device).manual_seed(seed)
    drawn = torch.multinomial(torch.softmax(logits_BTV, dim=-1).flatten(0, 1), 1, generator=chance)
    predicted_BT = drawn.view(batch.target_in_BT.shape)[:, :-1]  # the prediction at a position is read at the next one
    kept_BT = torch.rand(predicted_BT.shape, generator=chance, device=predicted_BT.device) < probability
    references_BT = batch.target_in_BT[:, 1:]
    given = torch.tensor([PAD_ID, *tag_ids], device=references_BT.device)
    is_free_BT = ~kept_BT & ~torch.isin(references_BT, given)
    return torch.cat([batch.target_in_BT[:, :1], torch.where(is_free_BT, predicted_BT, references_BT)], dim=1)
