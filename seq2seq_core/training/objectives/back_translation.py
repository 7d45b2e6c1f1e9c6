"""Online back-translation: likelihood of monolingual sentences given the model's own translations (Sennrich 2016, Lample 2018).

Shapes: N translations that have not ended, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.train import Phase
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.monolingual_corpora import MonolingualCorpora, target_sentences
from seq2seq_core.training.objectives.objective import Measure, Moment
from seq2seq_core.training.objectives.samples import Sample, draw_samples


class OnlineBackTranslation:
    """Translates the sentences of a phase with the current model.

    Args:
        phase: gives the decoding settings, ``back_translation``.
        placement: device and precision.
        corpora: tags and vocabulary.
    """

    def __init__(self, phase: Phase, placement: Placement, corpora: MonolingualCorpora) -> None:
        self.phase, self.placement, self.corpora = phase, placement, corpora

    def translate(self, model: Seq2Seq, batch: Batch, moment: Moment) -> tuple[Batch, dict[str, Measure]]:
        """The batch with the model's translations as sources, and their measures; made without dropout and without a gradient.

        Args:
            model: in training mode, before and after.
            batch: monolingual sentences, each with the tags that request the other language.
            moment: gives the seed of the sampling.
        """
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
        measures = _translation_measures(translations, target_sentences(batch))
        measures["translation_entropy"] = Measure(float(entropy_N.sum()), len(entropy_N))
        return self.corpora.with_sources(batch, [sample.ids for sample in translations], batch.part.pivot), measures


def _entropy(log_probabilities_NV: Tensor) -> Tensor:
    """The entropy of the next symbol among those that may follow, in nats; (N,)."""
    entropy_N: Tensor = torch.special.entr(torch.softmax(log_probabilities_NV, dim=-1)).sum(dim=-1)
    return entropy_N


def _translation_measures(translations: Sequence[Sample], sentences: Sequence[Sequence[int]]) -> dict[str, Measure]:
    """Signs of bad translations: shares of empty, cut and copied ones, and their length relative to the sentences."""
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
