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
from seq2seq_core.modeling.ensemble import AnyModel
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.distributed.ranks import SINGLE_RANK, Ranks
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.objective import BatchLoss, Measure, Moment, Objective, UpdateSize
from seq2seq_core.training.updates.checkpoint_average import CheckpointAverage
from seq2seq_core.training.updates.divergence import Pace, check_update
from seq2seq_core.training.updates.freezing import freeze_parts
from seq2seq_core.training.updates.loss_scale import LEAST
from seq2seq_core.training.updates.optimizer import build_optimizer
from seq2seq_core.training.updates.schedule import learning_rate
from seq2seq_core.training.updates.snapshot_ensemble import SnapshotEnsemble
from seq2seq_core.training.updates.update_sums import UpdateSums, part_sizes
from seq2seq_core.training.updates.weight_average import WeightAverage


@dataclass(frozen=True)
class UpdateResult:
    """The figures of one update.

    Attributes:
        negative_log_likelihood: summed over target tokens, in nats.
        target_tokens: their number.
        tokens: source and target tokens, padding left out.
        gradient_norm: of the whole gradient, before clipping.
        learning_rate: of this update.
        measures: further figures of the objective, by name.
        is_applied: whether the weights were changed; false if a gradient was too large for float16.
    """

    negative_log_likelihood: float
    target_tokens: int
    tokens: int
    gradient_norm: float
    learning_rate: float
    measures: Mapping[str, Measure] = field(default_factory=dict)
    is_applied: bool = True


class Updater:
    """Updates a model by an objective.

    Args:
        model: on the placement's device.
        settings: settings of the phase.
        placement: device and precision.
        phase_step: updates made before this phase.
        objective: the loss to minimise; None: the negative log-likelihood.
        steps_in_phase: updates made in this phase already.
        ranks: the processes that make each update together.
        num_snapshots: validations whose weights are kept as an ensemble; 0: none.

    Raises:
        UserError: ``freeze`` names no parameter, or all of them.

    Attributes:
        average: exponential average of the weights; None if ``average_decay`` is 0.
        last_average: mean of the weights at the last validations; None if ``average_last`` is 0.
        snapshots: ensemble of the weights at the last validations; None if there is none.
        pace: the scales and the loss limit of the next update.
    """

    def __init__(
        self,
        model: Seq2Seq,
        settings: PhaseSettings,
        placement: Placement,
        phase_step: int = 0,
        objective: Objective | None = None,
        steps_in_phase: int = 0,
        ranks: Ranks = SINGLE_RANK,
        num_snapshots: int = 0,
    ) -> None:
        self.model, self.settings, self.placement, self.phase_step = model, settings, placement, phase_step
        self.objective = objective or Likelihood(settings, placement)
        freeze_parts(model, settings.freeze)
        self.optimizer = build_optimizer(model, settings)
        decay = settings.average_decay
        self.average = WeightAverage(model, decay, steps_in_phase) if decay else None
        self.last_average = CheckpointAverage(model, settings.average_last) if settings.average_last else None
        self.snapshots = SnapshotEnsemble(model, num_snapshots) if num_snapshots else None
        self.pace = Pace()
        self.ranks, self.gradients, self.shards = ranks, ranks.gradient_sum(model), ranks.optimizer_shards(model, self.optimizer)

    @property
    def kept_model(self) -> AnyModel:
        """The model whose weights are validated and kept."""
        if self.snapshots:
            return self.snapshots.ensemble
        average = self.average or self.last_average
        return average.model if average else self.model

    def before_validation(self, step: int) -> None:
        """Keeps the weights of a validation, where those of several are made use of.

        Args:
            step: updates made.
        """
        if self.last_average:
            self.last_average.take(self.model, step)
        if self.snapshots:
            self.snapshots.take(self.average.model if self.average else self.model, step)

    def apply(self, batches: Sequence[Batch], step: int, seed: int, keys: Sequence[tuple[int, ...]] = ()) -> UpdateResult:
        """Makes one update.

        Args:
            batches: the share of this rank; gradients are summed over all ranks.
            step: number of this update, from 1, counted through all phases.
            seed: seed of dropout and of all other random draws.
            keys: of the batches, see :class:`~seq2seq_core.training.distributed.shares.Piece`; none: whole batches in order.

        Raises:
            Diverged: the loss or the gradient is not finite, or the loss is above its limit; the weights are unchanged.
            UserError: the GPU is out of memory.
        """
        torch.manual_seed(seed)
        self.model.train()
        self.model.zero_grad(set_to_none=True)
        sizes = part_sizes(batches, self.ranks)
        keys = keys or [(number,) for number in range(len(batches))]
        results = self.ranks.attempt(lambda: self._add_gradients(batches, sizes, step, seed, keys))
        self.gradients.finish()
        sums = UpdateSums.over(batches, results, self.ranks)
        limit = self.settings.gradient_clip_norm or math.inf
        self._unscale()
        norm = self._clip(limit)
        target_tokens = sum(size.target_tokens for size in sizes.values())
        loss = sums.negative_log_likelihood / target_tokens
        tokens = sums.source_tokens + target_tokens
        rate = learning_rate(step - self.phase_step, self.settings) * self.pace.rate_scale
        if self.pace.loss_scale > LEAST and math.isfinite(loss) and not math.isfinite(norm) and self.placement.is_float16:
            return UpdateResult(sums.negative_log_likelihood, target_tokens, tokens, 0.0, rate, sums.measures, is_applied=False)
        check_update(step, loss, norm, self.pace.loss_limit, self.placement.product_dtype != torch.float32)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.shards.spread_weights()
        if self.average:
            self.average.update(self.model)
        return UpdateResult(sums.negative_log_likelihood, target_tokens, tokens, norm, rate, sums.measures)

    def _add_gradients(
        self,
        batches: Sequence[Batch],
        sizes: Mapping[PartKind, UpdateSize],
        step: int,
        seed: int,
        keys: Sequence[tuple[int, ...]],
    ) -> list[BatchLoss]:
        """Accumulates the gradients of this rank's batches."""
        results: list[BatchLoss] = []
        try:
            for batch, key in zip(batches, keys, strict=True):
                self.ranks.seed_piece(seed, key)
                if len(results) + 1 == len(batches):
                    self.gradients.begin_last()
                moment = Moment(step - self.phase_step, derive_seed(seed, "batch", *key))
                results.append(self._add_gradient(batch, sizes[batch.part.kind], moment))
        except torch.cuda.OutOfMemoryError:
            raise UserError(
                f"train.batch_tokens: the GPU's memory is full at step {step}; expected at most what fits, "
                f"got {self.settings.batch_tokens} (halve it and double train.accumulation for the same updates)"
            ) from None
        return results

    def _add_gradient(self, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        """Adds a batch's share of the gradient; returns the loss of the batch."""
        batch = batch.to(self.placement.device, non_blocking=True)
        result = self.objective.loss(self.model, batch, size, moment)
        (result.loss * self.pace.loss_scale).backward()  # type: ignore[no-untyped-call]
        return replace(result, loss=result.loss.detach())  # frees the activations

    def _unscale(self) -> None:
        """Divides the gradient by the scale of the loss."""
        if self.pace.loss_scale != 1.0:
            for parameter in self.model.parameters():
                if parameter.grad is not None:
                    parameter.grad.div_(self.pace.loss_scale)

    def _clip(self, limit: float) -> float:
        """Scales the gradient so that its norm is at most the limit; returns the norm before."""
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if float(norm) > limit:
            torch.nn.utils.clip_grads_with_norm_(self.model.parameters(), limit, norm)
        return float(norm)
