"""Scheduled sampling (Bengio 2015) in two passes (Mihaylova and Martins 2019): the decoder reads some of its own predictions.

Shapes: B batch, T target length, V vocabulary, R steps of a decoder over frames, M mel bands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.regularization import ScheduledSampling
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.special_tokens import BOS_ID, EOS_ID, PAD_ID

if TYPE_CHECKING:
    from seq2seq_core.modeling.speech_model import SpeechModel

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


@torch.no_grad()
def mix_in_frames(model: SpeechModel, batch: Batch, probability: float, seed: int) -> Tensor:
    """The frames of the targets, those of some steps replaced by the ones that the model writes there; (B, T, M).

    The model writes without dropout of training, given the targets.

    Args:
        model: in training mode, before and after.
        batch: on the model's device.
        probability: probability that a step's frames stay those of the target.
        seed: of the choice.
    """
    model.eval()
    written_BTM = model.write(batch.source, batch.target_out_BT, batch.target_lengths_B).before_BTM
    model.train()
    chance = torch.Generator(written_BTM.device).manual_seed(seed)
    steps = int(model.num_steps(batch.target_lengths_B).max())
    kept_BR = torch.rand((len(written_BTM), steps), generator=chance, device=written_BTM.device) < probability
    kept_BT = kept_BR.repeat_interleave(model.frames.frames_per_step, dim=1)[:, : written_BTM.shape[1]]
    return torch.where(kept_BT.unsqueeze(2), batch.target_out_BT, written_BTM.to(batch.target_out_BT.dtype))
