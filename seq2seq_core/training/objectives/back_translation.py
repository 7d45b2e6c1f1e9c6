"""The objectives ``denoising`` and ``back_translation``: the likelihood of sentences given what noise or the model made of them.

Shapes: B batch, T target length, N translations that have not ended, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from seq2seq_core.batching.batch import Batch, collate_sources
from seq2seq_core.config.train import Phase
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.tokenization.special_tokens import EOS_ID
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.monolingual_corpora import MonolingualCorpora
from seq2seq_core.training.objectives.noise import NoiseCounts, WordNoise
from seq2seq_core.training.objectives.objective import BatchLoss, Measure, Moment, UpdateSize
from seq2seq_core.training.objectives.samples import Sample, draw_samples


def denoising_weight(step: int, phase: Phase) -> float:
    """The weight of denoising at an update (as Lample and Conneau 2019 let it fall).

    Args:
        step: number of the update in its phase, from 1.
        phase: the weight at first, the weight in the end and the updates between them.
    """
    mixture = phase.mixture
    if not mixture.denoising_weight or not mixture.denoising_decay_steps:
        return mixture.denoising_weight
    share = min(1.0, (step - 1) / mixture.denoising_decay_steps)
    return (1.0 - share) * mixture.denoising_weight + share * mixture.denoising_final_weight


class MonolingualMixture:
    """The weighted sum of the parts of an update; see :class:`~seq2seq_core.training.objectives.objective.Objective`.

    Args:
        phase: its settings.
        placement: device and precision.
        corpora: tags and vocabulary.
    """

    def __init__(self, phase: Phase, placement: Placement, corpora: MonolingualCorpora) -> None:
        self.phase, self.placement, self.corpora = phase, placement, corpora
        self.likelihood = Likelihood(phase, placement)
        self.starts_word_V = corpora.starts_word_V()

    def loss(self, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        """See :class:`~seq2seq_core.training.objectives.objective.Objective`."""
        measures: Mapping[str, Measure] = {}
        weight = self.phase.mixture.likelihood_weight
        if batch.part.kind == "denoising":
            weight = denoising_weight(moment.step, self.phase)
            batch, measures = self._add_noise(batch, moment)
        elif batch.part.kind == "back_translation":
            weight = self.phase.mixture.back_translation_weight
            batch, measures = self._translate(model, batch, moment)
        result = self.likelihood.loss(model, batch, size, moment)
        part_loss = {f"{batch.part.kind}_loss": Measure(float(result.negative_log_likelihood), batch.num_target_tokens)}
        return replace(result, loss=weight * result.loss, measures={**result.measures, **part_loss, **measures})

    def _add_noise(self, batch: Batch, moment: Moment) -> tuple[Batch, dict[str, Measure]]:
        """The batch with noisy sentences for sources, and what the noise did."""
        noise = WordNoise(self.phase.noise, self.starts_word_V, self.corpora.mask_id)
        chance = np.random.default_rng(derive_seed(moment.seed, "noise"))
        noisy = [noise.corrupt(sentence, chance) for sentence in _sentences(batch)]
        return self._with_sources(batch, noisy, batch.part.language), _noise_measures(noise.counts)

    def _translate(self, model: Seq2Seq, batch: Batch, moment: Moment) -> tuple[Batch, dict[str, Measure]]:
        """The batch with the model's translations for sources, made without dropout and without a gradient."""
        settings = self.phase.back_translation
        limits = [int(settings.max_length_ratio * length) for length in batch.target_lengths_B.tolist()]
        temperature = settings.temperature if settings.decoding == "sampling" else 0.0
        entropies: list[Tensor] = []
        model.eval()
        with self.placement.autocast():
            drawn = draw_samples(
                model,
                batch.source,
                limits,
                num_samples=1,
                temperature=temperature,
                seed=derive_seed(moment.seed, "translations"),
                unsayable_ids=self.corpora.tokenizer.tag_ids,
                observe=lambda log_probabilities_NV: entropies.append(_entropy(log_probabilities_NV)),
            )
        model.train()
        translations = [sample for (sample,) in drawn]
        entropy_N = torch.cat(entropies)
        measures = _translation_measures(translations, _sentences(batch))
        measures["translation_entropy"] = Measure(float(entropy_N.sum()), len(entropy_N))
        return self._with_sources(batch, [sample.ids for sample in translations], batch.part.pivot), measures

    def _with_sources(self, batch: Batch, rows: Sequence[Sequence[int]], language: str) -> Batch:
        """The batch with other sources, in a language, from which its sentences are to be said."""
        prefix = self.corpora.prefix(language, batch.part.language)
        source = collate_sources([[*prefix, *row, EOS_ID] for row in rows])
        return replace(batch, source=source.to(batch.target_out_BT.device))


def _entropy(log_probabilities_NV: Tensor) -> Tensor:
    """The entropy of the next symbol among those that may follow, in nats; (N,)."""
    entropy_N: Tensor = torch.special.entr(torch.softmax(log_probabilities_NV, dim=-1)).sum(dim=-1)
    return entropy_N


def _sentences(batch: Batch) -> list[list[int]]:
    """The ids of the batch's targets, without eos."""
    rows = zip(batch.target_out_BT.tolist(), batch.target_lengths_B.tolist(), strict=True)
    return [ids[: length - 1] for ids, length in rows]


def _noise_measures(counts: NoiseCounts) -> dict[str, Measure]:
    """The rates that noise had; what was not asked for is left out."""
    figures = {
        "noise_displacement": Measure(counts.displacement, counts.words),
        "noise_dropped": Measure(counts.dropped, counts.words),
        "noise_blanked": Measure(counts.blanked, counts.blankable),
        "noise_masked": Measure(counts.masked, counts.maskable),
    }
    return {name: measure for name, measure in figures.items() if measure.number}


def _translation_measures(translations: Sequence[Sample], sentences: Sequence[Sequence[int]]) -> dict[str, Measure]:
    """What tells whether translations are any: shares of empty, cut and copied ones, and their length against the sentences'."""
    number = len(translations)
    pairs = list(zip(translations, sentences, strict=True))
    return {
        "translation_empty": Measure(sum(not sample.ids for sample in translations), number),
        "translation_cut": Measure(sum(sample.is_cut for sample in translations), number),
        "translation_copied": Measure(sum(list(sample.ids) == list(sentence) for sample, sentence in pairs), number),
        "translation_length_ratio": Measure(
            sum(len(sample.ids) for sample in translations), max(1, sum(len(sentence) for sentence in sentences))
        ),
    }
