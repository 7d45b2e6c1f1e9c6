"""The objective ``likelihood``: teacher forcing with label smoothing; scheduled sampling, R-Drop, coverage and CTC if enabled.

Shapes: B batch, T target length, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.modeling.memory import TeacherForced
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.coverage import coverage_sum
from seq2seq_core.training.objectives.label_smoothing import LikelihoodSums, likelihood_sums
from seq2seq_core.training.objectives.objective import BatchLoss, Measure, Moment, UpdateSize
from seq2seq_core.training.objectives.projected_likelihood import projected_sums
from seq2seq_core.training.objectives.r_drop import symmetric_divergence
from seq2seq_core.training.objectives.scheduled_sampling import mix_in_predictions, reference_probability


class Likelihood:
    """The negative log-likelihood of the references per target token.

    See :class:`~seq2seq_core.training.objectives.objective.Objective`.

    Args:
        settings: settings of the phase.
        placement: device and precision.
        tag_ids: ids of the target's tags, which scheduled sampling never replaces.
    """

    def __init__(self, settings: PhaseSettings, placement: Placement, tag_ids: Sequence[int] = ()) -> None:
        self.settings, self.placement, self.tag_ids = settings, placement, tag_ids

    def loss(self, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        """See :class:`~seq2seq_core.training.objectives.objective.Objective`."""
        inputs_BT, measures = self._inputs(model, batch, moment)
        if self.settings.r_drop_weight:
            return self._two_passes(model, batch, inputs_BT, size, measures)
        if self._needs_parts:
            sums = self._sums(model, self._pass(model, batch, inputs_BT), batch, measures)
        else:
            with self.placement.autocast():
                sums = projected_sums(model, batch, inputs_BT, self.settings.label_smoothing)
        return BatchLoss(sums.objective / size.target_tokens, sums.negative_log_likelihood, measures)

    def _two_passes(
        self, model: Seq2Seq, batch: Batch, inputs_BT: Tensor, size: UpdateSize, measures: dict[str, Measure]
    ) -> BatchLoss:
        """Half of Liang 2021, equation 4, so that the likelihood has the same weight as in a single pass.

        (NLL_1 + NLL_2) / 2 + alpha / 2 * (KL(p_1 || p_2) + KL(p_2 || p_1)) / 2
        """
        passes = [self._pass(model, batch, inputs_BT) for _ in range(2)]
        first, second = (self._sums(model, one, batch, measures) for one in passes)
        divergence = symmetric_divergence(passes[0].logits_BTV, passes[1].logits_BTV, batch.target_out_BT)
        objective = 0.5 * (first.objective + second.objective) + 0.5 * self.settings.r_drop_weight * divergence
        measures["dropout_divergence"] = Measure(float(divergence.detach()), batch.num_target_tokens)
        negative_log_likelihood = 0.5 * (first.negative_log_likelihood + second.negative_log_likelihood)
        return BatchLoss(objective / size.target_tokens, negative_log_likelihood, measures)

    def _inputs(self, model: Seq2Seq, batch: Batch, moment: Moment) -> tuple[Tensor, dict[str, Measure]]:
        """The decoder's inputs, and their measures."""
        settings = self.settings.scheduled_sampling
        if settings.decay == "none":
            return batch.target_in_BT, {}
        probability = reference_probability(moment.step, settings)
        with self.placement.autocast():
            inputs_BT = mix_in_predictions(model, batch, probability, derive_seed(moment.seed, "predictions"), self.tag_ids)
        return inputs_BT, {"reference_probability": Measure(probability, 1.0)}

    def _pass(self, model: Seq2Seq, batch: Batch, inputs_BT: Tensor) -> TeacherForced:
        """A pass of the model, with attention and memory if a further loss needs them."""
        with self.placement.autocast():
            if self._needs_parts:
                return model.teacher_forced(batch.source, inputs_BT)
            return TeacherForced(model(batch.source, inputs_BT), None)

    @property
    def _needs_parts(self) -> bool:
        """Whether a further loss needs the attention or the memory of a pass."""
        return bool(self.settings.coverage_weight or self.settings.ctc_weight)

    def _sums(self, model: Seq2Seq, forced: TeacherForced, batch: Batch, measures: dict[str, Measure]) -> LikelihoodSums:
        """The likelihood of a pass, and the losses of coverage (See 2017, equation 13) and of CTC."""
        sums = likelihood_sums(forced.logits_BTV, batch.target_out_BT, self.settings.label_smoothing)
        if self.settings.ctc_weight:
            from seq2seq_core.training.objectives.ctc import ctc_sum

            assert forced.memory is not None, "teacher_forced puts it there"
            loss = ctc_sum(model.ctc_logits(forced.memory), forced.memory, batch, self.tag_ids)
            measures["ctc_loss"] = Measure(float(loss.detach()), batch.num_target_tokens)
            sums = replace(sums, objective=sums.objective + self.settings.ctc_weight * loss)
        if forced.attention_BTS is None or not self.settings.coverage_weight:
            return sums
        penalty = coverage_sum(forced.attention_BTS, batch.target_out_BT)
        measures["coverage_loss"] = Measure(float(penalty.detach()), batch.num_target_tokens)
        return replace(sums, objective=sums.objective + self.settings.coverage_weight * penalty)
