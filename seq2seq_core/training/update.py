"""One update of the weights: gradients over one or more batches, normalised by all tokens of each part, clipped and applied."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from seq2seq_core.batching.batch import Batch
from seq2seq_core.batching.part import PartKind
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.checkpoint_average import CheckpointAverage
from seq2seq_core.training.divergence import Pace, check_update
from seq2seq_core.training.freezing import freeze_parts
from seq2seq_core.training.likelihood import Likelihood
from seq2seq_core.training.objective import BatchLoss, Measure, Moment, Objective, UpdateSize
from seq2seq_core.training.optimizer import build_optimizer
from seq2seq_core.training.placement import Placement
from seq2seq_core.training.schedule import learning_rate
from seq2seq_core.training.weight_average import WeightAverage


@dataclass(frozen=True)
class UpdateResult:
    """What one update saw.

    Attributes:
        negative_log_likelihood: summed over target tokens, in nats.
        target_tokens: their number.
        tokens: source and target tokens, padding left out.
        gradient_norm: of the whole gradient, before clipping.
        learning_rate: of this update.
        measures: further figures of the objective, by name.
    """

    negative_log_likelihood: float
    target_tokens: int
    tokens: int
    gradient_norm: float
    learning_rate: float
    measures: Mapping[str, Measure] = field(default_factory=dict)


class Updater:
    """Updates a model by an objective.

    Args:
        model: on the placement's device.
        settings: of the phase.
        placement: device and precision.
        phase_step: updates made before this phase.
        objective: what is made smaller; None: the negative log-likelihood.
        steps_in_phase: updates made in this phase already.

    Raises:
        UserError: ``freeze`` names no parameter, or all of them.

    Attributes:
        average: of the weights; None where ``average_decay`` is 0.
        last_average: of the weights at the last validations; None where ``average_last`` is 0.
        pace: what the course of the run says about the next update.
    """

    def __init__(
        self,
        model: Seq2Seq,
        settings: PhaseSettings,
        placement: Placement,
        phase_step: int = 0,
        objective: Objective | None = None,
        steps_in_phase: int = 0,
    ) -> None:
        self.model, self.settings, self.placement, self.phase_step = model, settings, placement, phase_step
        self.objective = objective or Likelihood(settings, placement)
        freeze_parts(model, settings.freeze)
        self.optimizer = build_optimizer(model, settings)
        decay = settings.average_decay
        self.average = WeightAverage(model, decay, steps_in_phase) if decay else None
        self.last_average = CheckpointAverage(model, settings.average_last) if settings.average_last else None
        self.pace = Pace()

    @property
    def kept_model(self) -> Seq2Seq:
        """The model whose weights are validated and kept."""
        average = self.average or self.last_average
        return average.model if average else self.model

    def apply(self, batches: Sequence[Batch], step: int, seed: int) -> UpdateResult:
        """Makes one update.

        Args:
            batches: one or more; their gradients are added up.
            step: number of this update, from 1, counted through all phases.
            seed: of dropout, and of all else that is drawn.

        Raises:
            Diverged: the loss or the gradient is no finite number, or the loss is above its limit; the weights are left as they
                were.
            UserError: the GPU is out of memory.
        """
        torch.manual_seed(seed)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        target_tokens = sum(batch.num_target_tokens for batch in batches)
        sizes = _part_sizes(batches)
        moments = [Moment(step - self.phase_step, derive_seed(seed, "batch", number)) for number in range(len(batches))]
        try:
            results = [
                self._add_gradient(batch, sizes[batch.part.kind], moment) for batch, moment in zip(batches, moments, strict=True)
            ]
        except torch.cuda.OutOfMemoryError:
            raise UserError(
                f"train.batch_tokens: the GPU's memory is full at step {step}; expected at most what fits, "
                f"got {self.settings.batch_tokens} (halve it and double train.accumulation for the same updates)"
            ) from None
        limit = self.settings.gradient_clip_norm or math.inf
        norm = self._clip(limit)
        negative_log_likelihood = float(torch.stack([result.negative_log_likelihood.double() for result in results]).sum())
        loss = negative_log_likelihood / target_tokens
        check_update(step, loss, norm, self.pace.loss_limit, self.placement.is_bfloat16)
        rate = learning_rate(step - self.phase_step, self.settings) * self.pace.rate_scale
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        if self.average:
            self.average.update(self.model)
        source_tokens = sum(int(batch.source.lengths_B.sum()) for batch in batches)
        tokens, measures = source_tokens + target_tokens, _add_up([result.measures for result in results])
        return UpdateResult(negative_log_likelihood, target_tokens, tokens, norm, rate, measures)

    def _add_gradient(self, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        """Adds a batch's share of the gradient; returns what it was made of."""
        batch = batch.to(self.placement.device, non_blocking=True)
        result = self.objective.loss(self.model, batch, size, moment)
        result.loss.backward()  # type: ignore[no-untyped-call]
        return replace(result, loss=result.loss.detach())  # lets go of the activations

    def _clip(self, limit: float) -> float:
        """Scales the gradient so that its norm is at most the limit, and returns what it was."""
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if float(norm) > limit:
            torch.nn.utils.clip_grads_with_norm_(self.model.parameters(), limit, norm)
        return float(norm)


def _part_sizes(batches: Sequence[Batch]) -> dict[PartKind, UpdateSize]:
    """How much each kind of part has in an update: one kind, unless monolingual sentences are learned from."""
    sizes: dict[PartKind, UpdateSize] = {}
    for batch in batches:
        before = sizes.get(batch.part.kind, UpdateSize(0, 0))
        sizes[batch.part.kind] = UpdateSize(
            before.target_tokens + batch.num_target_tokens, before.sentences + batch.source.num_rows
        )
    return sizes


def _add_up(parts: Sequence[Mapping[str, Measure]]) -> dict[str, Measure]:
    """The measures of several batches together."""
    total: dict[str, Measure] = {}
    for part in parts:
        for name, measure in part.items():
            before = total.get(name, Measure(0.0, 0.0))
            total[name] = Measure(before.total + measure.total, before.number + measure.number)
    return total
