"""Reads a request for one model: rows with their lengths, and the decoding options. Needs no weights, only the tokenisers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq_core.bundle.config_file import SOURCE_FILE, TARGET_FILE, BundleConfig, read_config
from seq2seq_core.bundle.stored_calibrator import StoredCalibrator
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.serving.request_limits import RequestLimits
from seq2seq_core.decoding.confidence.abstention import check_threshold
from seq2seq_core.decoding.lexicon.known_answers import check_lexicon
from seq2seq_core.decoding.phrases.asked_phrases import PhraseReader
from seq2seq_core.decoding.phrases.phrase_room import check_rooms
from seq2seq_core.decoding.phrases.row_phrases import RowPhrases
from seq2seq_core.decoding.phrases.wanted_phrases import PhraseError
from seq2seq_core.decoding.speech.speech_options import check_speech_options
from seq2seq_core.decoding.stopping import Stop
from seq2seq_core.errors import TagError, UserError
from seq2seq_core.serving.batching.ticket import Mode, Row
from seq2seq_core.serving.id_counts import count_ids
from seq2seq_core.serving.request import check_cost, read_options, read_phrases, read_sources, read_tags
from seq2seq_core.serving.request_columns import Columns, refusal
from seq2seq_core.serving.uploaded_files import read_pictures, read_recordings
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import Tags

if TYPE_CHECKING:
    from seq2seq_core.bundle.bundle import Bundle
    from seq2seq_core.decoding.source_encoder import SourceItem


class RequestReader:
    """Validates requests to a model and measures what they may cost.

    Args:
        config: the model's configuration.
        source_tokenizer: text to source ids; None where the sources are frames.
        target_tokenizer: has the tags of targets, and spells phrases; of a model of speech, which has neither, that of the sources.
        options: the decoding options of a request that names none.
        limits: what a request may be and cost.
        calibrator: the model's; None: its answers have no confidence.
        has_lexicon: whether the model has a lexicon.
    """

    def __init__(
        self,
        config: BundleConfig,
        source_tokenizer: SubwordModel | None,
        target_tokenizer: SubwordModel,
        options: DecodingOptions,
        limits: RequestLimits,
        calibrator: StoredCalibrator | None = None,
        has_lexicon: bool = False,
    ) -> None:
        self.config, self.tokenizer, self.options, self.limits = config, source_tokenizer, options, limits
        self.calibrator, self.has_lexicon = calibrator, has_lexicon
        tags = config.tags
        self.phrases = PhraseReader(target_tokenizer, config.normal_form, bool(config.frame_width))
        self._sides = [
            Tags(tags.source, source_tokenizer, tags.separator, tags.unknown, config.normal_form),
            Tags(tags.target, target_tokenizer, tags.separator, tags.unknown, config.normal_form),
        ]

    @classmethod
    def of_bundle(cls, bundle: Bundle, limits: RequestLimits) -> RequestReader:
        """The reader of a loaded bundle.

        Args:
            bundle: the bundle.
            limits: what a request may be and cost.
        """
        options = bundle.decoding or DecodingOptions()
        target, has_lexicon = bundle.target_model or bundle.source_tokenizer, bundle.lexicon is not None
        assert target is not None, "a bundle has at least one"
        return cls(bundle.config, bundle.source_tokenizer, target, options, limits, bundle.calibrator, has_lexicon)

    @classmethod
    def from_folder(cls, folder: Path, limits: RequestLimits) -> RequestReader:
        """The reader of a bundle whose files were checked; its weights are not loaded.

        Args:
            folder: the bundle.
            limits: what a request may be and cost.
        """
        content = read_config(folder)
        source = None if content.config.frame_width else SubwordModel.load(folder / SOURCE_FILE)
        options = content.decoding or DecodingOptions()
        target = SubwordModel.load(folder / (SOURCE_FILE if content.config.speech is not None else TARGET_FILE))
        return cls(content.config, source, target, options, limits, content.calibrator, content.lexicon is not None)

    @property
    def known_tags(self) -> dict[str, list[str]]:
        """The values that each tag column may hold."""
        found: dict[str, dict[str, None]] = {column: {} for column in self.config.tags.all}
        for side in self._sides:
            for column in side.columns:
                found[column] |= dict.fromkeys(side.known_values(column))
        return {column: list(values) for column, values in found.items()}

    def read(
        self,
        columns: Columns,
        params: Mapping[str, Any] | None,
        bounds_cost: bool = True,
        num_hypotheses: int | None = None,
        stop: Stop | None = None,
    ) -> tuple[list[Row], Mode]:
        """The rows of a request, and how they are decoded.

        Args:
            columns: the request.
            params: its parameters.
            bounds_cost: whether a request that costs too much is refused.
            num_hypotheses: hypotheses of each source; None: as many as in the evaluation.
            stop: asked for every row; ends the reading.

        Raises:
            MlflowException: the request is invalid, or costs more than a request may.
            DecodingStopped: ``stop`` said so.
        """
        options = read_options(params, self.options, num_hypotheses)
        try:
            if self.config.speech is not None:
                check_speech_options(options, self.options)
            check_threshold(options, self.calibrator)
            if options.lexicon:
                check_lexicon(self.has_lexicon)
        except UserError as error:
            raise refusal(f"params.{error}") from None
        sources = self._read_sources(columns)
        tags = read_tags(columns, self.config.tags.all, len(sources))
        lengths = self._measure(sources, self._count_tags(tags), options, stop)
        try:
            if bounds_cost:  # before phrases are looked for, which takes time itself
                check_cost(lengths, options, self.limits)
            asked = self.phrases.read(read_phrases(params), sources, stop)
            if bounds_cost:
                check_cost(lengths, options, self.limits, asked)
            check_rooms(asked, options)
        except PhraseError as error:
            raise refusal(f"params.{error}") from None
        rows = [
            Row(source, tags[place], length, row.phrases if (row := asked[place]) else None, _work_of_row(length, row))
            for place, (source, length) in enumerate(zip(sources, lengths, strict=True))
        ]
        width = max(row.width(options) if row else 0 for row in asked)
        return rows, Mode(options, width=width if width > options.rows_per_source else 0)

    def _read_sources(self, columns: Columns) -> Sequence[SourceItem]:
        """The texts of a request, the samples of its recordings, or the frames of its pictures."""
        if self.config.pictures is not None:
            return read_pictures(columns, self.limits, self.config.pictures)
        if self.config.audio is not None:
            return read_recordings(columns, self.limits, self.config.audio.sample_rate)
        return read_sources(columns, self.limits)

    def _count_tags(self, rows: Sequence[Mapping[str, str]]) -> list[int]:
        """The number of tags before each source; a tag that the model cannot take is refused."""
        counts = []
        for place, values in enumerate(rows):
            try:
                before, _ = [side.ids(values) for side in self._sides]
            except TagError as error:
                raise refusal(f"row {place}: {error.reason}") from error
            counts.append(len(before))
        for side in self._sides:
            side.warn_of_ignored(f"{len(rows)} sources")
        return counts

    def _measure(
        self, sources: Sequence[SourceItem], num_tags: Sequence[int], options: DecodingOptions, stop: Stop | None
    ) -> list[int]:
        """The tokens or frames of each source as the model will read it; 0 for one without text."""
        has_frames = self.tokenizer is None
        limit = options.max_source_frames if has_frames else options.max_source_tokens
        limit = min(limit, self.config.max_source_tokens or limit)
        if self.tokenizer is None:
            return [min(self._num_frames(source), limit) for source in sources]
        texts = (self.config.normal_form.apply(source) for source in sources if isinstance(source, str))
        counts = count_ids(self.tokenizer, texts, limit, stop)
        return [count and min(before + count + 1, limit) for before, count in zip(num_tags, counts, strict=True)]

    def _num_frames(self, source: SourceItem) -> int:
        """About as many frames as a recording will have; of a picture, its frames."""
        audio = self.config.audio
        if isinstance(source, np.ndarray) and source.ndim == 2:
            return len(source)
        assert audio is not None
        assert isinstance(source, np.ndarray)
        return 1 + int(len(source) / audio.sample_rate / audio.frame_seconds)


def _work_of_row(length: int, row: RowPhrases | None) -> int:
    """The source tokens that take as long as a row; 0: the row has no forced phrases."""
    return math.ceil((length + row.most_ids) * row.work) if row is not None and row.forced else 0
