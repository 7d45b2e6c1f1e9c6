"""Denoising: likelihood of monolingual sentences given noisy versions of them (Lample 2018, section 2.3; Lewis 2020)."""

from __future__ import annotations

import numpy as np

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.train import Phase
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.objectives.monolingual_corpora import MonolingualCorpora, target_sentences
from seq2seq_core.training.objectives.noise import NoiseCounts, WordNoise
from seq2seq_core.training.objectives.objective import Measure, Moment


class Denoising:
    """Makes the noisy sources of a phase.

    Args:
        phase: the noise and its weight.
        corpora: tags and vocabulary.
    """

    def __init__(self, phase: Phase, corpora: MonolingualCorpora) -> None:
        self.phase, self.corpora = phase, corpora
        self.starts_word_V = corpora.starts_word_V()

    def corrupt(self, batch: Batch, moment: Moment) -> tuple[Batch, dict[str, Measure]]:
        """The batch with noisy sentences as sources, and the measured noise rates.

        Args:
            batch: monolingual sentences.
            moment: gives the seed of the noise.
        """
        noise = WordNoise(self.phase.noise, self.starts_word_V, self.corpora.mask_id)
        chance = np.random.default_rng(derive_seed(moment.seed, "noise"))
        noisy = [noise.corrupt(sentence, chance) for sentence in target_sentences(batch)]
        return self.corpora.with_sources(batch, noisy, batch.part.language), _noise_measures(noise.counts)


def denoising_weight(step: int, phase: Phase) -> float:
    """The weight of denoising at an update; it decays as in Lample and Conneau 2019.

    Args:
        step: number of the update in its phase, from 1.
        phase: gives the first weight, the final weight and the updates between them.
    """
    mixture = phase.mixture
    if not mixture.denoising_weight or not mixture.denoising_decay_steps:
        return mixture.denoising_weight
    share = min(1.0, (step - 1) / mixture.denoising_decay_steps)
    return (1.0 - share) * mixture.denoising_weight + share * mixture.denoising_final_weight


def _noise_measures(counts: NoiseCounts) -> dict[str, Measure]:
    """The measured noise rates; without the kinds of noise that had no words to act on."""
    figures = {
        "noise_displacement": Measure(counts.displacement, counts.words),
        "noise_dropped": Measure(counts.dropped, counts.words),
        "noise_blanked": Measure(counts.blanked, counts.blankable),
        "noise_masked": Measure(counts.masked, counts.maskable),
    }
    return {name: measure for name, measure in figures.items() if measure.number}
