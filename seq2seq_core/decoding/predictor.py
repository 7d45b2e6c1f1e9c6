"""Text in, text out, by a model bundle.

Shapes: S source length, T target length.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from seq2seq_core.batching.batch import Source, collate_sources
from seq2seq_core.bundle.bundle import Bundle, load_bundle
from seq2seq_core.decoding import beam_search, greedy
from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.decoding.options import DecodingOptions
from seq2seq_core.tokenization.special_tokens import EOS_ID, SPECIAL_NAMES

logger = logging.getLogger(__name__)

MAX_BATCH_TOKENS = 16_384
"""Most source tokens that are decoded together, padding included and counted once a hypothesis: a bound on memory."""


@dataclass(frozen=True)
class TextHypothesis:
    """A hypothesis as text.

    Attributes:
        text: of the target.
        score: what hypotheses are ranked by; see :class:`~seq2seq_core.decoding.hypothesis.Hypothesis`.
        log_probability: natural logarithm of the hypothesis's probability.
    """

    text: str
    score: float
    log_probability: float


@dataclass(frozen=True)
class Prediction:
    """What a source became.

    Attributes:
        hypotheses: best first; at least one, at most ``num_hypotheses``.
    """

    hypotheses: tuple[TextHypothesis, ...]

    @property
    def text(self) -> str:
        """The best hypothesis's text."""
        return self.hypotheses[0].text

    @property
    def score(self) -> float:
        """The best hypothesis's score."""
        return self.hypotheses[0].score


NOTHING = Prediction((TextHypothesis("", 0.0, 0.0),))
"""What a source without any text becomes."""


class Predictor:
    """Decodes texts with the model of a bundle.

    Args:
        bundle: a loaded bundle.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    @classmethod
    def from_folder(cls, folder: Path, device: torch.device | str = "cpu") -> Predictor:
        """A predictor of the bundle in a folder.

        Args:
            folder: the bundle.
            device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.

        Raises:
            BundleError: the folder holds no bundle that this version can read.
            UserError: there is no such device.
        """
        return cls(load_bundle(folder, device))

    def predict(
        self, sources: Sequence[str], options: DecodingOptions | None = None, batch_sentences: int = 64
    ) -> list[Prediction]:
        """The prediction of each source, in order.

        A source without any text (nothing, or white space) becomes an empty text with score 0. One of more than
        ``options.max_source_tokens`` tokens is cut there, with a warning.

        Args:
            sources: texts.
            options: of the search; by default those of :class:`~seq2seq_core.decoding.options.DecodingOptions`.
            batch_sentences: most sources that are decoded together.
        """
        options = options or DecodingOptions()
        ids = self._encode(sources, options)
        predictions = [NOTHING] * len(sources)
        for places in batches_by_length([len(row) for row in ids], batch_sentences, MAX_BATCH_TOKENS // options.beam_size):
            found = decode(self.bundle, collate_sources([ids[place] for place in places]), options)
            for place, prediction in zip(places, self._to_text(found), strict=True):
                predictions[place] = prediction
        return predictions

    def attention(self, source: str, options: DecodingOptions | None = None) -> tuple[list[str], list[str], NDArray[np.float32]]:
        """The source's pieces, the predicted target's pieces, and the weights between them, matrix_TS; end marks included.

        Args:
            source: a text that is not empty.
            options: of the search.
        """
        options = options or DecodingOptions()
        (ids,) = self._encode([source], options)
        if not ids:
            raise ValueError("attention needs a source with some text")
        ((best, *_),) = decode(self.bundle, collate_sources([ids]), options, keep_attention=True)
        assert best.attention_TS is not None, "asked for"
        source_pieces = [*self.bundle.source_tokenizer.pieces(ids[:-1]), SPECIAL_NAMES[EOS_ID]]
        target_pieces = [*self.bundle.target_tokenizer.pieces(best.ids), SPECIAL_NAMES[EOS_ID]]
        return source_pieces, target_pieces, best.attention_TS.numpy()

    def _encode(self, sources: Sequence[str], options: DecodingOptions) -> list[list[int]]:
        """The ids of each source with eos; none for one without any text."""
        rows = [[*ids, EOS_ID] if source.strip() else [] for source, ids in zip(sources, self._tokenize(sources), strict=True)]
        limit = options.max_source_tokens
        if too_long := [place for place, row in enumerate(rows) if len(row) > limit]:
            logger.warning(
                "%d of %d sources have more than %d tokens and are cut there; the first is number %d with %d tokens",
                len(too_long), len(rows), limit, too_long[0] + 1, len(rows[too_long[0]]),
            )  # fmt: skip
            for place in too_long:
                rows[place] = [*rows[place][: limit - 1], EOS_ID]
        return rows

    def _tokenize(self, sources: Sequence[str]) -> list[list[int]]:
        return self.bundle.source_tokenizer.encode(sources)

    def _to_text(self, found: list[list[Hypothesis]]) -> Iterator[Prediction]:
        """Each sentence's hypotheses as text."""
        for hypotheses in found:
            texts = self.bundle.target_tokenizer.decode([hypothesis.ids for hypothesis in hypotheses])
            yield Prediction(
                tuple(TextHypothesis(text, one.score, one.log_probability) for text, one in zip(texts, hypotheses, strict=True))
            )


def decode(bundle: Bundle, source: Source, options: DecodingOptions, keep_attention: bool = False) -> list[list[Hypothesis]]:
    """The hypotheses of each source, best first, by greedy decoding where the beam is 1.

    Args:
        bundle: holds the model.
        source: on any device.
        options: of the search.
        keep_attention: whether hypotheses carry their attention.
    """
    search = greedy.decode if options.beam_size == 1 else beam_search.decode
    return search(bundle.model, source.to(bundle.device), options, keep_attention)


def batches_by_length(lengths: Sequence[int], max_rows: int, max_tokens: int) -> list[list[int]]:
    """The places of all rows that are not empty, longest first, in batches.

    Args:
        lengths: tokens of each row.
        max_rows: most rows of a batch.
        max_tokens: most tokens of a batch, padding included, if it has more than one row.
    """
    batches: list[list[int]] = []
    for place in sorted((place for place, length in enumerate(lengths) if length), key=lambda place: -lengths[place]):
        if batches and len(batches[-1]) < max_rows and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= max_tokens:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches
