"""The objectives ``denoising`` and ``back_translation``: weighted likelihoods of pairs and of monolingual sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, assert_never

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.train import Phase
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.denoising import Denoising, denoising_weight
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.monolingual_corpora import MonolingualCorpora
from seq2seq_core.training.objectives.objective import BatchLoss, Measure, Moment, UpdateSize

if TYPE_CHECKING:
    from seq2seq_core.training.objectives.back_translation import OnlineBackTranslation


class MonolingualMixture:
    """The weighted sum of the parts of an update; see :class:`~seq2seq_core.training.objectives.objective.Objective`.

    Args:
        phase: gives the weights and settings of the parts.
        placement: device and precision.
        corpora: tags and vocabulary.
    """

    def __init__(self, phase: Phase, placement: Placement, corpora: MonolingualCorpora) -> None:
        self.phase, self.placement, self.corpora = phase, placement, corpora
        self.likelihood = Likelihood(phase, placement)
        self.denoising = Denoising(phase, corpora)

    @cached_property
    def back_translation(self) -> OnlineBackTranslation:
        """Makes the sources of the part ``back_translation``; not imported by a phase without one."""
        from seq2seq_core.training.objectives.back_translation import OnlineBackTranslation

        return OnlineBackTranslation(self.phase, self.placement, self.corpora)

    def loss(self, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        """See :class:`~seq2seq_core.training.objectives.objective.Objective`."""
        measures: Mapping[str, Measure] = {}
        match batch.part.kind:
            case "pairs":
                weight = self.phase.mixture.likelihood_weight
            case "denoising":
                weight = denoising_weight(moment.step, self.phase)
                batch, measures = self.denoising.corrupt(batch, moment)
            case "back_translation":
                weight = self.phase.mixture.back_translation_weight
                batch, measures = self.back_translation.translate(model, batch, moment)
            case unknown:
                assert_never(unknown)
        result = self.likelihood.loss(model, batch, size, moment)
        part_loss = {f"{batch.part.kind}_loss": Measure(float(result.negative_log_likelihood), batch.num_target_tokens)}
        return replace(result, loss=weight * result.loss, measures={**result.measures, **part_loss, **measures})
