"""Text, recordings, pictures or frames in, text out, by a model bundle.

Every input text is first put into the bundle's normal form: sources, prefixes, targets to score, tags. It is the form of the
training texts; a text in that form stays unchanged.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import torch

from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.batching.length_batches import BatchBounds, batches_by_length
from seq2seq_core.bundle.bundle import Bundle, load_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.argument_types import AskedAnswers, check_types
from seq2seq_core.decoding.confidence.abstention import check_threshold, withhold
from seq2seq_core.decoding.engines.engine import Engine
from seq2seq_core.decoding.engines.engine_choice import load_engine
from seq2seq_core.decoding.engines.torch_engine import TorchEngine
from seq2seq_core.decoding.hypothesis_texts import HypothesisTexts
from seq2seq_core.decoding.lexicon.known_answers import find_known, put_first
from seq2seq_core.decoding.phrases.asked_phrases import AskedPhrases, PhraseReader, check_texts, groups_of_phrases
from seq2seq_core.decoding.phrases.phrase_room import check_rooms
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import Alignment, Prediction, TextHypothesis
from seq2seq_core.decoding.source_encoder import EncodedSources, SourceEncoder, SourceItem, is_empty
from seq2seq_core.decoding.stopping import Stop
from seq2seq_core.decoding.target_scores import TargetScore, score_targets
from seq2seq_core.errors import NonFiniteOutput, TagError
from seq2seq_core.tokenization.tags import Tags

logger = logging.getLogger(__name__)

MAX_BATCH_TOKENS = 16_384
"""Most source tokens (or frames) of a batch, padding included, counted once per hypothesis: a bound on memory."""
MAX_SCORED_TOKENS = 2048
"""Most target tokens scored together, padding included: each has a row of logits."""


class Predictor:
    """Decodes sources with the model of a bundle.

    Args:
        bundle: a loaded bundle.
        recordings: relative names of recordings and pictures start in this folder; by default the current one.
        uses_engine: whether the engine of the bundle decodes; False: the reference does.

    Raises:
        BundleError: the bundle's engine cannot be loaded.
        UserError: the engine's package is missing.

    Attributes:
        options: the decoding options of the bundle, the default of every call.
        engine: decodes, where it has nothing against the options.
        reference: decodes in the other cases.
    """

    def __init__(self, bundle: Bundle, recordings: Path = Path(), uses_engine: bool = True) -> None:
        self.bundle = bundle
        self.source_tags, self.target_tags = bundle.source_tags, bundle.target_tags
        self.sources = SourceEncoder(bundle, recordings)
        self.options = bundle.decoding or DecodingOptions()
        self.reference = TorchEngine(bundle.model, bundle.device)
        self.engine = load_engine(bundle, self.reference) if uses_engine else self.reference
        self.phrases = PhraseReader(bundle.target_tokenizer, bundle.config.normal_form, self.sources.has_frames)
        self.texts = HypothesisTexts(bundle, self.sources)
        self._told: set[str] = set()

    @classmethod
    def from_folder(cls, folder: Path, device: torch.device | str = "cpu", recordings: Path = Path()) -> Predictor:
        """A predictor of the bundle in a folder; of a model of speech, one whose texts are WAV files in base64.

        Args:
            folder: the bundle.
            device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
            recordings: relative names of recordings and pictures start in this folder; by default the current one.

        Raises:
            BundleError: the folder holds no bundle that this version can read.
            UserError: there is no such device.
        """
        bundle = load_bundle(folder, device)
        if bundle.config.speech is not None:
            from seq2seq_core.decoding.speech.speech_predictor import SpeechPredictor

            return SpeechPredictor(bundle)
        return cls(bundle, recordings)

    @property
    def asked_columns(self) -> tuple[str, ...]:
        """The columns that an answer depends on, besides the source: those that are tags."""
        return self.bundle.config.tags.all

    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        sources: SourceItem,
        options: DecodingOptions | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        phrases: Phrases | None = None,
    ) -> Prediction: ...

    @overload
    def predict(
        self,
        sources: Sequence[SourceItem],
        options: DecodingOptions | None = None,
        batch_sentences: int = 64,
        prefixes: Sequence[str] | None = None,
        keep_alignments: bool = False,
        tags: Sequence[Mapping[str, str]] | None = None,
        stop: Stop | None = None,
        phrases: AskedPhrases = None,
    ) -> list[Prediction]: ...

    def predict(
        self,
        sources: SourceItem | Sequence[SourceItem],
        options: DecodingOptions | None = None,
        batch_sentences: int = 64,
        prefixes: Sequence[str] | None = None,
        keep_alignments: bool = False,
        tags: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None,
        stop: Stop | None = None,
        phrases: AskedPhrases = None,
    ) -> Prediction | list[Prediction]:
        """The prediction of each source, in order; of a single source, its prediction.

        A source without text (empty, or white space) gives its prefix or an empty text, with score 0. A source of more than
        ``options.max_source_tokens`` tokens, tags included (or ``max_source_frames`` frames), is cut there, with a warning; the
        bundle's own limit applies if it is lower. A hypothesis begins with its target's tags. They count in its probability and
        length, but are no part of its text or alignment.

        Args:
            sources: texts; of a model of frames: names of files, samples of recordings, pixels of pictures, frames. Or one of them.
            options: the decoding options; by default the bundle's. ``self.options.override(beam_size=1)`` changes single ones.
            batch_sentences: most sources decoded together.
            prefixes: for each source, the text that its hypotheses must begin with; what follows begins with a new piece.
            keep_alignments: whether hypotheses carry their alignment; a lexicon's answer has none.
            tags: for each source, its columns by name; only the columns that the bundle takes as tags are read. None: no column.
                Of a single source, its columns.
            stop: whether to end now, asked again and again; None: never.
            phrases: what targets must and must not contain, for all sources or for each; one without text keeps its empty target.

        Raises:
            TypeError: the sources or the phrases are something else.
            ValueError: the number of prefixes or tags differs from that of sources.
            TagError: a source's tag is missing or unknown.
            UserError: a file cannot be used, the model reads something else, or it has no calibrator for ``min_confidence``.
            DecodingStopped: ``stop`` said so.
            NonFiniteOutput: the model's output for a source holds NaN or infinity.
            PhraseError: a phrase cannot be forced or forbidden.
        """
        check_types(sources, phrases)
        if isinstance(sources, str | Path | np.ndarray):
            assert not isinstance(tags, Sequence), "a single source has a single mapping"
            return self.predict([sources], options, tags=[tags or {}], phrases=phrases)[0]
        assert not isinstance(tags, Mapping), "several sources have a mapping each"
        options = options or self.options
        return self._predict(sources, AskedAnswers(options, batch_sentences, prefixes, keep_alignments, tags, stop, phrases))

    def _predict(self, sources: Sequence[SourceItem], call: AskedAnswers) -> list[Prediction]:
        """The prediction of each source; the arguments are those of :meth:`predict`, whose types it has checked."""
        options, prefixes, tags = call.options, call.prefixes, call.tags
        check_threshold(options, self.bundle.calibrator)
        if prefixes is not None and len(prefixes) != len(sources):
            raise ValueError(f"expected a prefix for each of {len(sources)} sources, got {len(prefixes)}")
        ids, is_cut = self._encode(sources, options, tags)
        forced = self._tag_ids(self.target_tags, tags, len(sources))
        beginnings = self._normalize(prefixes or [""] * len(sources))
        texts = self.bundle.target_tokenizer.encode(beginnings)
        starts = [[*own, *text] for own, text in zip(forced, texts, strict=True)]
        predictions = [Prediction((TextHypothesis(text, 0.0, 0.0),)) for text in beginnings]
        asked = self.phrases.read(call.phrases, sources)
        check_rooms(asked, options, starts)
        known: list[TextHypothesis | None] = [None] * len(sources)
        wants_others = options.num_hypotheses > 1
        if options.lexicon:
            is_free = [not start and row is None for start, row in zip(beginnings, asked, strict=True)]
            known = find_known(self.bundle, sources, tags, options, is_free)
        for width, group in groups_of_phrases(asked, options):
            own = options if width == options.rows_per_source else options.override(beam_size=width)
            engine = self.engine_for(own, call.keep_alignments, asked[group[0]] is not None)
            if not (places := [place for place in group if len(ids[place]) and (wants_others or known[place] is None)]):
                continue
            rows, wanted = [ids[place] for place in places], [asked[place] for place in places]
            bounds = BatchBounds(call.batch_sentences, MAX_BATCH_TOKENS // width)
            try:
                found = engine.decode(
                    rows, own, bounds, call.keep_alignments, [starts[place] for place in places], call.stop, wanted
                )
            except NonFiniteOutput as error:
                raise NonFiniteOutput(places[error.place]) from None
            for place, row, hypotheses in zip(places, rows, found, strict=True):
                texts_of = self.texts.read(row, hypotheses, own, len(forced[place]), is_cut[place])
                predictions[place] = Prediction(tuple(texts_of))
                check_texts(asked[place], predictions[place])
        if options.lexicon:
            predictions = [put_first(one, own, options.num_hypotheses) for one, own in zip(known, predictions, strict=True)]
        return withhold(predictions, options.min_confidence)

    def engine_for(self, options: DecodingOptions, keep_attention: bool = False, has_phrases: bool = False) -> Engine:
        """What decodes with some options: the bundle's engine, or the reference, which is then said once.

        Args:
            options: the decoding options.
            keep_attention: whether hypotheses carry their attention.
            has_phrases: whether phrases are forced or forbidden.
        """
        reason = self.engine.why_not(options, keep_attention, has_phrases)
        if reason is None:
            return self.engine
        if reason not in self._told:
            self._told.add(reason)
            logger.info("PyTorch decodes, at float32, and not %s: %s", self.engine.name, reason)
        return self.reference

    def score(
        self,
        sources: Sequence[SourceItem],
        targets: Sequence[str],
        batch_sentences: int = 64,
        max_source_tokens: int | None = None,
        tags: Sequence[Mapping[str, str]] | None = None,
    ) -> list[TargetScore]:
        """The log-probability of each target for its source, in order.

        A text's probability is that of its usual pieces: a search that spells the same text by other pieces reports another value.
        A source without text gives the empty target probability 1, and every other target 0. A source that is too long is cut as in
        :meth:`predict`. A target's tags count in its probability and tokens, as in a search.

        Args:
            sources: as in :meth:`predict`.
            targets: one for each source; may be empty.
            batch_sentences: most pairs scored together.
            max_source_tokens: a source with more tokens (tags and end mark included) is cut to this many, with a warning; by
                default as in :meth:`predict`.
            tags: as in :meth:`predict`.

        Raises:
            ValueError: the number of targets or tags differs from that of sources.
            TagError: a source's tag is missing or unknown.
        """
        if len(targets) != len(sources):
            raise ValueError(f"expected a target for each of {len(sources)} sources, got {len(targets)}")
        options = self.options if max_source_tokens is None else self.options.override(max_source_tokens=max_source_tokens)
        source_ids, _ = self._encode(sources, options, tags)
        texts = self.bundle.target_tokenizer.encode(self._normalize(targets))
        target_ids = [[*own, *text] for own, text in zip(self._tag_ids(self.target_tags, tags, len(sources)), texts, strict=True)]
        scores = [TargetScore(-math.inf if row else 0.0, len(row) + 1) for row in texts]
        lengths = [len(row) and max(len(row), len(target) + 1) for row, target in zip(source_ids, target_ids, strict=True)]
        for places in batches_by_length(lengths, BatchBounds(batch_sentences, MAX_SCORED_TOKENS)):
            source = collate_sources([source_ids[place] for place in places]).to(self.bundle.device)
            found = score_targets(self.bundle.model, source, [target_ids[place] for place in places])
            for place, one in zip(places, found, strict=True):
                scores[place] = one
        return scores

    def attention(
        self, source: SourceItem, options: DecodingOptions | None = None, tags: Mapping[str, str] | None = None
    ) -> Alignment | None:
        """The best hypothesis's alignment; None for a model without attention.

        Args:
            source: a source that is not empty.
            options: the decoding options; by default the bundle's.
            tags: the source's columns, as in :meth:`predict`.

        Raises:
            ValueError: the source is empty.
            TagError: a tag is missing or unknown.
        """
        if is_empty(source):
            raise ValueError("attention needs a source with some text")
        options = (options or self.options).override(lexicon=False)
        return self.predict([source], options, keep_alignments=True, tags=[tags or {}])[0].hypotheses[0].alignment

    def _normalize(self, texts: Sequence[str]) -> list[str]:
        """The texts in the bundle's normal form."""
        return [self.bundle.config.normal_form.apply(text) for text in texts]

    def _encode(
        self, sources: Sequence[SourceItem], options: DecodingOptions, tags: Sequence[Mapping[str, str]] | None
    ) -> EncodedSources:
        """The model's input for each source, cut if it is too long."""
        before = self._tag_ids(self.source_tags, tags, len(sources))
        return self.sources.encode(sources, before, options.max_source_tokens, options.max_source_frames)

    def _tag_ids(self, side: Tags, tags: Sequence[Mapping[str, str]] | None, num_sources: int) -> list[list[int]]:
        """The ids of each source's tags of one side."""
        if tags is not None and len(tags) != num_sources:
            raise ValueError(f"expected tags for each of {num_sources} sources, got {len(tags)}")
        found = []
        for place, values in enumerate(tags if tags is not None else [{}] * num_sources):
            try:
                found.append(side.ids(values))
            except TagError as error:
                raise TagError(error.reason, place) from None
        side.warn_of_ignored(f"{num_sources} sources")
        return found
