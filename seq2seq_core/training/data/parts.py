"""Training data of a phase: parallel pairs, sentences to denoise, and sentences to back-translate."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from seq2seq_core.batching.batch import Batch
from seq2seq_core.batching.part import PAIRS, Part
from seq2seq_core.batching.sampler import TokenBucketSampler
from seq2seq_core.batching.temperature import TemperatureSampler
from seq2seq_core.config.objective_sections import MONOLINGUAL_OBJECTIVES
from seq2seq_core.config.train import Phase
from seq2seq_core.errors import UserError
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.tokenization.manifest import SourceInfo
from seq2seq_core.training.data.inputs import TrainingInputs
from seq2seq_core.training.data.pair_reader import PairReader, ResegmentedPairs, StoredPairs
from seq2seq_core.training.data.picture_augment import ChangedPictures
from seq2seq_core.training.data.sentence_reader import SentenceReader
from seq2seq_core.training.data.spec_augment import MaskedPairs
from seq2seq_core.training.data.update_plan import EpochSampler, PlannedBatch, UpdatePlan
from seq2seq_core.training.objectives.monolingual_corpora import MonolingualCorpora, num_held_out

logger = logging.getLogger(__name__)


class PartSource(NamedTuple):
    """The sampler and the reader of one part."""

    sampler: EpochSampler
    """Chooses the pairs or sentences of each batch."""
    reader: PairReader
    """Reads the batch."""


@dataclass(frozen=True)
class PhaseData:
    """The training data of a phase.

    Attributes:
        plan: the pairs and sentences of each update.
        readers: the reader of each part's batches.
    """

    plan: UpdatePlan
    readers: Mapping[Part, PairReader]

    def read(self, planned: PlannedBatch, seed: int) -> Batch:
        """A batch of an update.

        Args:
            planned: its part and the places of its pairs or sentences.
            seed: seed of the update.
        """
        return self.readers[planned.part].read(planned.indices, seed)


def open_phase(inputs: TrainingInputs, phase: Phase, seed: int) -> PhaseData:
    """The data of a phase; see :func:`open_parts`."""
    parts = open_parts(inputs, phase, seed)
    plan = UpdatePlan({part: source.sampler for part, source in parts.items()}, phase.accumulation)
    return PhaseData(plan, {part: source.reader for part, source in parts.items()})


def open_parts(inputs: TrainingInputs, phase: Phase, seed: int) -> dict[Part, PartSource]:
    """The parts of each update of a phase: at least one.

    Args:
        inputs: the tokenised corpus.
        phase: gives objective, weights and batch sizes.
        seed: seed of the training.

    Raises:
        UserError: the corpus lacks the data that the phase learns from or the groups to sample by, or the settings segment
            sources that are frames.
    """
    parts: dict[Part, PartSource] = {}
    corpora = inputs.monolingual
    if phase.objective in MONOLINGUAL_OBJECTIVES and not corpora.sentences:
        raise UserError(
            f"there are no monolingual sentences, expected some to learn from by objective {phase.objective!r} (corpus.monolingual)"
        )
    if phase.reads_pairs:
        if not len(inputs.train):
            raise UserError(
                f"train has no pairs, expected at least one to learn from by objective {phase.objective!r} (corpus.files.train)"
            )
        parts[PAIRS] = PartSource(_choose_sampler(inputs, phase, seed), _choose_pairs(inputs, phase))
    if phase.reads_noise:
        for language in corpora.sentences:
            parts |= _open_sentences(corpora, Part("denoising", language), language, phase, seed)
    if phase.objective == "back_translation":
        for language, pivot in corpora.directions:
            parts |= _open_sentences(corpora, Part("back_translation", language, pivot), pivot, phase, seed)
    return parts


def _choose_sampler(inputs: TrainingInputs, phase: Phase, seed: int) -> EpochSampler:
    """The sampler that cuts the parallel pairs into batches."""
    if phase.sampling_temperature == 1.0:
        return TokenBucketSampler(inputs.train, phase.batch_tokens, seed)
    sampler = TemperatureSampler(inputs.train, phase.batch_tokens, seed, phase.sampling_temperature)
    for name, drawn in zip(inputs.manifest.groups, sampler.draws.tolist(), strict=False):
        logger.info("train.sampling_temperature: %d pairs of %s in each epoch", drawn, name or "(empty)")
    return sampler


def _choose_pairs(inputs: TrainingInputs, phase: Phase) -> PairReader:
    """The reader of the parallel pairs."""
    if phase.objective == "frames":
        from seq2seq_core.batching.frame_batch import FramePairs

        return FramePairs(inputs.train)
    pairs: PairReader = StoredPairs(inputs.train)
    if phase.subword_sampling.sides != "none":
        pairs = ResegmentedPairs(inputs.train, inputs.source_tokenizer, inputs.target_tokenizer, phase.subword_sampling)
    source = inputs.manifest.source
    if phase.picture_augment.is_on:
        if source.pictures is None:
            raise UserError("train.picture_augment: must change nothing where the sources are no pictures, got some")
        pairs = ChangedPictures(pairs, phase.picture_augment, source.pictures.settings)
    if phase.spec_augment.is_on:
        pairs = MaskedPairs(pairs, phase.spec_augment, _count_bands(source, inputs.train.num_features))
    return pairs


def _count_bands(source: SourceInfo, num_features: int) -> int:
    """The values of a frame that a mask over bands takes as neighbours; columns side by side get the same mask."""
    if source.audio is not None:
        return source.audio.settings.num_mels
    is_line = source.pictures is not None and source.pictures.settings.layout == "columns"
    return source.pictures.settings.height if source.pictures is not None and is_line else num_features


def _open_sentences(
    corpora: MonolingualCorpora, part: Part, asked_language: str, phase: Phase, seed: int
) -> dict[Part, PartSource]:
    """A part of monolingual sentences; before each are the tags that request a language."""
    whole = corpora.sentences[part.language]
    sentences = whole.select(slice(num_held_out(whole, phase), None))
    sampler = TokenBucketSampler(sentences, phase.batch_tokens, derive_seed(seed, "sentences", *part))
    return {part: PartSource(sampler, SentenceReader(sentences, part, corpora.prefix(part.language, asked_language)))}
