"""Encoding of sources for a model: texts to ids, recordings and pictures to frames; frames stay unchanged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.bundle.bundle import Bundle
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.errors import UserError
from seq2seq_core.frames.frame_reader import FrameReader
from seq2seq_core.normal_form import is_blank
from seq2seq_core.tokenization.encode import SourceRow, cut_row
from seq2seq_core.tokenization.special_tokens import EOS_ID, SPECIAL_NAMES, UNK_ID
from seq2seq_core.tokenization.unknown_symbols import UnknownSymbols

logger = logging.getLogger(__name__)

SourceItem = str | Path | NDArray[np.float32] | NDArray[np.uint8]
"""A text; for a model of frames the name of a file, the samples_N of a recording, the pixels_HWC of a picture, or frames_SF."""


class EncodedSources(NamedTuple):
    """Sources as a model reads them.

    Attributes:
        rows: one for each source.
        is_cut: for each source, whether a part of it was left out because it is too long.
    """

    rows: list[SourceRow]
    is_cut: list[bool]


class SourceEncoder:
    """Turns sources into rows that a bundle's model reads.

    Args:
        bundle: the model with its tokeniser or front end.
        files: relative names of recordings and pictures start in this folder.
    """

    def __init__(self, bundle: Bundle, files: Path) -> None:
        self.bundle, front_end = bundle, bundle.config.audio or bundle.config.pictures
        self.reader = None if front_end is None else FrameReader(front_end, files)
        self.unknown = None if bundle.source_tokenizer is None else UnknownSymbols(bundle.source_tokenizer)

    @property
    def has_frames(self) -> bool:
        """Whether the model's sources are frames."""
        return bool(self.bundle.config.frame_width)

    def encode(
        self, sources: Sequence[SourceItem], tags: Sequence[Sequence[int]], max_tokens: int, max_frames: int
    ) -> EncodedSources:
        """One row per source; rows above the given limit or the bundle's are cut, with a warning. A grid of patches never is.

        Args:
            sources: see :data:`SourceItem`.
            tags: for each source, the ids before its own; ignored for frames.
            max_tokens: most ids of a row, tags and eos included.
            max_frames: most frames of a row.

        Raises:
            UserError: a recording or picture cannot be used, or the model reads something else.
        """
        rows = [self._frames(source) for source in sources] if self.has_frames else self._ids(sources, tags)
        limit, unit = (max_frames, "frames") if self.has_frames else (max_tokens, "tokens")
        limit = min(limit, self.bundle.config.max_source_tokens or limit)
        layout = self.bundle.config.frame_layout
        if layout is not None and layout.grid is not None:
            limit = layout.grid[0] * layout.grid[1]
        _warn_of_cut(rows, limit, unit)
        keeps_end = self.bundle.config.keeps_source_end
        cut = [cut_row(row, limit, len(own), keeps_end) for row, own in zip(rows, tags, strict=True)]
        return EncodedSources(cut, [len(row) > limit for row in rows])

    def names(self, row: SourceRow) -> list[str]:
        """A readable label for each step of the encoded source.

        Its pieces; of a recording its start in seconds; of a line the first column of the scaled picture; of a grid row and column,
        from 1; of other frames the first one's number.

        Args:
            row: a row from :meth:`encode`.
        """
        config, tokenizer = self.bundle.config, self.bundle.source_tokenizer
        if tokenizer is not None:
            starts = range(0, len(row), size := 1 << config.model.time_reduction)
            pieces = [*tokenizer.pieces([int(id_) for id_ in row[:-1]]), SPECIAL_NAMES[EOS_ID]]
            return ["".join(pieces[start : start + size]) for start in starts]
        return name_steps(config, len(row))

    def _ids(self, sources: Sequence[SourceItem], tags: Sequence[Sequence[int]]) -> list[SourceRow]:
        """The ids of each source with its tags and eos; none for one without any text."""
        tokenizer = self.bundle.source_tokenizer
        assert tokenizer is not None, "a model of ids has one"
        texts = []
        for source in sources:
            if not isinstance(source, str):
                raise UserError(f"the model reads texts, got a source of the type {type(source).__name__}")
            texts.append(self.bundle.config.normal_form.apply(source))
        encoded = tokenizer.encode(texts)
        if self.unknown is not None:
            self.unknown.tell(text for text, ids in zip(texts, encoded, strict=True) if UNK_ID in ids)
        rows = zip(texts, tags, encoded, strict=True)
        return [[] if is_blank(text) else [*own, *ids, EOS_ID] for text, own, ids in rows]

    def _frames(self, source: SourceItem) -> SourceRow:
        """The frames of a source; none for an empty name."""
        width = self.bundle.config.frame_width
        if is_empty(source):
            return []
        if isinstance(source, np.ndarray) and source.ndim == 2:
            layout = self.bundle.config.frame_layout
            if layout is not None and layout.grid is not None and len(source) != layout.grid[0] * layout.grid[1]:
                raise UserError(f"the model reads {layout.grid[0]} × {layout.grid[1]} patches, got {len(source)} frames")
            if not len(source) or source.shape[1] != width:
                raise UserError(f"the model reads one or more frames of {width} features, got an array of the shape {source.shape}")
            return source
        if self.reader is None:
            raise UserError(f"the model reads frames of {width} features, as arrays: it does not say how to make them of files")
        return self.reader.read(source)


def name_steps(config: BundleConfig, num_frames: int) -> list[str]:
    """A label for each step of an encoded source of frames, see :meth:`SourceEncoder.names`.

    Args:
        config: the configuration of the model.
        num_frames: frames of the source.
    """
    layout, front_end, steps = config.frame_layout, config.model.front_end, config.count_steps(num_frames)
    halvings = front_end.halvings if front_end is not None else 0
    if (grid := config.grid_of_steps) is not None:
        return [f"{place // grid[1] + 1},{place % grid[1] + 1}" for place in range(steps)]
    if config.pictures is not None and layout is not None:
        columns_a_step = (1 if front_end is not None else layout.columns) << halvings << config.model.time_reduction
        return [str(place * columns_a_step) for place in range(steps)]
    frames_a_step = (1 << halvings << config.model.time_reduction) / (layout.columns if layout and front_end is not None else 1)
    if config.audio is not None:
        return [f"{place * frames_a_step * config.audio.frame_seconds:.2f}" for place in range(steps)]
    return [str(int(place * frames_a_step)) for place in range(steps)]


def is_empty(source: SourceItem) -> bool:
    """Whether a source is a text (or name) that is empty, as :func:`is_blank` tells it."""
    return isinstance(source, str) and is_blank(source)


def _warn_of_cut(rows: Sequence[SourceRow], limit: int, unit: str) -> None:
    if too_long := [place for place, row in enumerate(rows) if len(row) > limit]:
        logger.warning(
            "%d of %d sources have more than %d %s and are cut there; the first is number %d with %d %s",
            len(too_long), len(rows), limit, unit, too_long[0] + 1, len(rows[too_long[0]]), unit,
        )  # fmt: skip
