"""The objective ``frames``: differences from the target's frames, the end (Shen 2018), and attention off the diagonal.

Shapes: B batch, S source length, T frames, R steps, M mel bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.regularization import ScheduledSampling
from seq2seq_core.config.speech.speech_settings import FrameLoss
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.modeling.speech_model import SpeechModel, WrittenFrames
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.objective import BatchLoss, Measure, Moment, UpdateSize

if TYPE_CHECKING:
    from seq2seq_core.training.objectives.judged.frame_judge import FrameJudge, Verdict


@dataclass(frozen=True)
class FrameSums:
    """The terms of the loss, summed over a batch; each a scalar.

    Attributes:
        differences: absolute and squared differences with their weights, mean over bands, sum over frames.
        absolute: the absolute differences behind the post-net, mean over bands, sum over frames: a plain figure without weights.
        stop: cross-entropy of the end, sum over steps.
        guide: attention off the diagonal, sum over steps.
        steps: number of steps.
    """

    differences: Tensor
    absolute: Tensor
    stop: Tensor
    guide: Tensor
    steps: int


class FrameDifferences:
    """The loss of frames, per frame of the update.

    See :class:`~seq2seq_core.training.objectives.objective.Objective`.

    Args:
        settings: weights of the terms.
        placement: device and precision.
        judge: listens to what the model says by itself; None: nobody does.
        sampling: how often a step sees what the model wrote; None: never.
    """

    def __init__(
        self,
        settings: FrameLoss,
        placement: Placement,
        judge: FrameJudge | None = None,
        sampling: ScheduledSampling | None = None,
    ) -> None:
        self.settings, self.placement, self.judge = settings, placement, judge
        self.sampling = sampling if sampling is not None and sampling.decay != "none" else None

    def loss(self, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        """See :class:`~seq2seq_core.training.objectives.objective.Objective`; the figure for the curves is :func:`plain_loss`."""
        assert isinstance(model, SpeechModel)
        sums = frame_sums(model, batch, self.settings, self.placement, self._seen(model, batch, moment))
        steps = self.settings.stop_weight * sums.stop + self.settings.guided_attention_weight * sums.guide
        loss = (sums.differences + model.frames.frames_per_step * steps) / size.target_tokens
        measures = {
            "frame_difference": Measure(float(sums.absolute.detach()), batch.num_target_tokens),
            "stop_loss": Measure(float(sums.stop.detach()), sums.steps),
            "off_diagonal": Measure(float(sums.guide.detach()), sums.steps),
        }
        figure = plain_loss(sums, model).detach()
        if (verdict := self.judged(model, batch)) is not None:
            assert self.judge is not None
            loss = loss + self.judge.weight * verdict.losses_B.sum() / size.sentences
            measures |= {
                "judge_loss": Measure(float(verdict.losses_B.detach().sum()), len(verdict.losses_B)),
                "judge_right": Measure(verdict.right, verdict.symbols),
            }
        return BatchLoss(loss, figure, measures)

    def _seen(self, model: SpeechModel, batch: Batch, moment: Moment) -> Tensor:
        """The frames that the steps see: the target's, or some of the model's own."""
        if self.sampling is None:
            return batch.target_out_BT
        from seq2seq_core.training.objectives.scheduled_sampling import mix_in_frames, reference_probability

        probability = reference_probability(moment.step, self.sampling)
        with self.placement.autocast():
            return mix_in_frames(model, batch, probability, derive_seed(moment.seed, "scheduled_sampling"))

    def judged(self, model: SpeechModel, batch: Batch) -> Verdict | None:
        """What the judge makes of what the model says to the sources of a batch; None: there is no judge.

        Args:
            model: speaks.
            batch: gives the sources, and how long each recording is.
        """
        if self.judge is None:
            return None
        with self.placement.autocast():
            return self.judge.listen(model, batch.source, batch.target_lengths_B)


def plain_loss(sums: FrameSums, model: SpeechModel) -> Tensor:
    """Absolute differences and the end, summed over frames: the figure of the curves and of dev.

    Args:
        sums: of a batch.
        model: says how many frames a step has.
    """
    return sums.absolute + model.frames.frames_per_step * sums.stop


def frame_sums(
    model: SpeechModel, batch: Batch, settings: FrameLoss, placement: Placement, seen_BTM: Tensor | None = None
) -> FrameSums:
    """The terms of the loss of a batch.

    Args:
        model: on the placement's device.
        batch: of :func:`~seq2seq_core.batching.frame_batch.collate_frames`.
        settings: weights.
        placement: device and precision.
        seen_BTM: the frames that each next step sees; None: the target's.
    """
    lengths_B = batch.target_lengths_B
    with placement.autocast():
        written = model.write(batch.source, batch.target_out_BT if seen_BTM is None else seen_BTM, lengths_B)
    is_valid_BT = ~batch.target_padding_mask_BT
    differences = torch.zeros((), device=lengths_B.device)
    for frames_BTM in (written.before_BTM, written.after_BTM):
        gap_BTM = frames_BTM.float() - batch.target_out_BT
        absolute = (gap_BTM.abs().mean(dim=-1) * is_valid_BT).sum()
        squared = (gap_BTM.square().mean(dim=-1) * is_valid_BT).sum()
        differences = differences + settings.l1_weight * absolute + settings.l2_weight * squared
    steps_B = model.num_steps(lengths_B)
    stop = _stop_sum(written, steps_B, settings.stop_positive_weight)
    guide = guide_sum(written.attention_BRS, batch.source.lengths_B, steps_B, settings.guided_attention_width)
    return FrameSums(differences, absolute, stop, guide, int(steps_B.sum()))


def _stop_sum(written: WrittenFrames, steps_B: Tensor, positive_weight: float) -> Tensor:
    """The cross-entropy of the end: only the last step of a target is one."""
    places_R = torch.arange(written.stop_BR.shape[1], device=steps_B.device)
    is_end_BR = places_R == steps_B.unsqueeze(1) - 1
    weight = torch.tensor(positive_weight, device=steps_B.device)
    losses_BR = functional.binary_cross_entropy_with_logits(
        written.stop_BR.float(), is_end_BR.float(), pos_weight=weight, reduction="none"
    )
    return (losses_BR * (places_R < steps_B.unsqueeze(1))).sum()


def guide_sum(attention_BRS: Tensor, source_lengths_B: Tensor, steps_B: Tensor, width: float) -> Tensor:
    """Sum of A_rs W_rs,  W_rs = 1 - exp(-(s / S - r / R)^2 / 2 g^2)  (Tachibana 2018, equation 5), over the steps of each target.

    Args:
        attention_BRS: weights over the source, A.
        source_lengths_B: positions of each source, S; of a memory whose time is reduced the share is the same.
        steps_B: steps of each target, R.
        width: g.
    """
    steps, sources = attention_BRS.shape[1:]
    shrink = max(1, -(-int(source_lengths_B.max()) // sources))
    places_R, places_S = (torch.arange(number, device=steps_B.device) for number in (steps, sources))
    share_BR = places_R / steps_B.unsqueeze(1)
    share_BS = places_S * shrink / source_lengths_B.unsqueeze(1)
    far_BRS = 1.0 - torch.exp(-((share_BS.unsqueeze(1) - share_BR.unsqueeze(2)) ** 2) / (2.0 * width**2))
    is_step_BR = places_R < steps_B.unsqueeze(1)
    return ((attention_BRS.float() * far_BRS).sum(dim=-1) * is_step_BR).sum()
