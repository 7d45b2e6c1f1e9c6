"""One update of the weights: gradients over one or more batches, normalised by all their tokens, clipped and applied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.training.objective import likelihood_sums
from seq2seq_core.training.optimizer import build_optimizer
from seq2seq_core.training.placement import Placement
from seq2seq_core.training.schedule import learning_rate


@dataclass(frozen=True)
class UpdateResult:
    """What one update saw.

    Attributes:
        negative_log_likelihood: summed over target tokens, in nats.
        target_tokens: their number.
        tokens: source and target tokens, padding left out.
        gradient_norm: of the whole gradient, before clipping.
        learning_rate: of this update.
    """

    negative_log_likelihood: float
    target_tokens: int
    tokens: int
    gradient_norm: float
    learning_rate: float


class Updater:
    """Updates a model by maximum likelihood.

    Args:
        model: on the placement's device.
        settings: of the phase.
        placement: device and precision.
        phase_step: updates made before this phase.
    """

    def __init__(self, model: Seq2Seq, settings: PhaseSettings, placement: Placement, phase_step: int = 0) -> None:
        self.model, self.settings, self.placement, self.phase_step = model, settings, placement, phase_step
        self.optimizer = build_optimizer(model, settings)

    def apply(self, batches: Sequence[Batch], step: int, seed: int) -> UpdateResult:
        """Makes one update.

        Args:
            batches: one or more; their gradients are added up.
            step: number of this update, from 1, counted through all phases.
            seed: of dropout.

        Raises:
            UserError: the loss or the gradient is no finite number (the weights are left as they were), or the GPU is out of
                memory.
        """
        torch.manual_seed(seed)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        target_tokens = sum(batch.num_target_tokens for batch in batches)
        try:
            losses = [self._add_gradient(batch, target_tokens) for batch in batches]
        except torch.cuda.OutOfMemoryError:
            raise UserError(
                f"train.batch_tokens: the GPU's memory is full at step {step}; expected at most what fits, "
                f"got {self.settings.batch_tokens} (halve it and double train.accumulation for the same updates)"
            ) from None
        limit = self.settings.gradient_clip_norm or math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit))
        negative_log_likelihood = float(torch.stack(losses).sum())
        self._check_finite("loss", negative_log_likelihood / target_tokens, step)
        self._check_finite("gradient norm", norm, step)
        rate = learning_rate(step - self.phase_step, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        source_tokens = sum(int(batch.source.lengths_B.sum()) for batch in batches)
        return UpdateResult(negative_log_likelihood, target_tokens, source_tokens + target_tokens, norm, rate)

    def _add_gradient(self, batch: Batch, target_tokens: int) -> torch.Tensor:
        """Adds a batch's share of the gradient; returns its negative log-likelihood, summed, in float64."""
        batch = batch.to(self.placement.device, non_blocking=True)
        with self.placement.autocast():
            logits_BTV = self.model(batch.source, batch.target_in_BT)
        sums = likelihood_sums(logits_BTV, batch.target_out_BT, self.settings.label_smoothing)
        (sums.objective / target_tokens).backward()  # type: ignore[no-untyped-call]
        return sums.negative_log_likelihood.double()

    def _check_finite(self, name: str, value: float, step: int) -> None:
        """Refuses a loss or norm that is not a number."""
        if math.isfinite(value):
            return
        remedies = ["a lower train.learning_rate", "more train.warmup_steps", "a train.gradient_clip_norm such as 1.0"]
        if self.placement.is_bfloat16:
            remedies.append("runtime.precision: float32")
        raise UserError(f"step {step}: the {name} is {value}, expected a finite number; try {', '.join(remedies)}")
