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
from seq2seq_core.training.likelihood import Likelihood
from seq2seq_core.training.objective import BatchLoss, Measure, Moment, Objective, UpdateSize
from seq2seq_core.training.optimizer import build_optimizer
from seq2seq_core.training.placement import Placement
from seq2seq_core.training.ranks import SINGLE_RANK, Ranks
from seq2seq_core.training.schedule import learning_rate
from seq2seq_core.training.update_sums import UpdateSums, part_sizes
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
        ranks: the processes that make each update together.

    Attributes:
        average: of the weights; None where ``average_decay`` is 0.
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
    ) -> None:
        self.model, self.settings, self.placement, self.phase_step = model, settings, placement, phase_step
        self.objective = objective or Likelihood(settings, placement)
        self.optimizer = build_optimizer(model, settings)
        decay = settings.average_decay
        self.average = WeightAverage(model, decay, steps_in_phase) if decay else None
        self.ranks, self.gradients, self.shards = ranks, ranks.gradient_sum(model), ranks.optimizer_shards(model, self.optimizer)

    @property
    def kept_model(self) -> Seq2Seq:
        """The model whose weights are validated and kept."""
        return self.average.model if self.average else self.model

    def apply(self, batches: Sequence[Batch], step: int, seed: int, keys: Sequence[tuple[int, ...]] = ()) -> UpdateResult:
        """Makes one update.

        Args:
            batches: what this rank computes of it; their gradients are added up with those of all ranks.
            step: number of this update, from 1, counted through all phases.
            seed: of dropout, and of all else that is drawn.
            keys: of the batches, see :class:`~seq2seq_core.training.shares.Piece`; none: whole batches in order.

        Raises:
            UserError: the loss or the gradient is no finite number (the weights are left as they were), or the GPU is out of
                memory.
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
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit))
        target_tokens = sum(size.target_tokens for size in sizes.values())
        self._check_finite("loss", sums.negative_log_likelihood / target_tokens, step)
        self._check_finite("gradient norm", norm, step)
        rate = learning_rate(step - self.phase_step, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.shards.spread_weights()
        if self.average:
            self.average.update(self.model)
        tokens = sums.source_tokens + target_tokens
        return UpdateResult(sums.negative_log_likelihood, target_tokens, tokens, norm, rate, sums.measures)

    def _add_gradients(
        self,
        batches: Sequence[Batch],
        sizes: Mapping[PartKind, UpdateSize],
        step: int,
        seed: int,
        keys: Sequence[tuple[int, ...]],
    ) -> list[BatchLoss]:
        """Adds the gradients of this rank's batches up."""
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
        """Adds a batch's share of the gradient; returns what it was made of."""
        batch = batch.to(self.placement.device, non_blocking=True)
        result = self.objective.loss(self.model, batch, size, moment)
        result.loss.backward()  # type: ignore[no-untyped-call]
        return replace(result, loss=result.loss.detach())  # lets go of the activations

    def _check_finite(self, name: str, value: float, step: int) -> None:
        """Refuses a loss or norm that is not a number."""
        if math.isfinite(value):
            return
        remedies = ["a lower train.learning_rate", "more train.warmup_steps", "a train.gradient_clip_norm such as 1.0"]
        if self.placement.is_bfloat16:
            remedies.append("runtime.precision: float32")
        raise UserError(f"step {step}: the {name} is {value}, expected a finite number; try {', '.join(remedies)}")
