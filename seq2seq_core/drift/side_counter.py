"""Counts the texts of one side of a corpus, and the pieces of a vocabulary in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.drift.corpus_profile import PieceCounts, SideProfile
from seq2seq_core.drift.repeated_texts import KeySample
from seq2seq_core.drift.text_counts import LENGTH_EDGES, NUM_CODES, Counts, character_codes, length_bins, measure_lengths
from seq2seq_core.tokenization.flat_rows import FlatRows
from seq2seq_core.tokenization.special_tokens import EOS_ID

LISTED_CHARACTERS, LISTED_PIECES, SHOWN_PIECES = 4096, 512, 128
_SURROGATES = slice(0xD800, 0xE000)


class PieceModel(Protocol):
    """A subword model."""

    @property
    def proto(self) -> bytes:
        """Its bytes."""

    def encode_rows(self, texts: Sequence[str]) -> FlatRows:
        """The ids of each text with eos."""

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The readable piece of each id."""


class SideCounter:
    """Counts texts.

    Attributes:
        repeats: the keys of all texts, the ones that are not counted included.
    """

    def __init__(self) -> None:
        self.repeats = KeySample()
        self._lengths = np.zeros(len(LENGTH_EDGES) + 1, dtype=np.int64)
        self._characters = np.zeros(NUM_CODES, dtype=np.int64)
        self._rows, self._sum, self._squares = 0, 0, 0

    def add(self, texts: Sequence[str]) -> Counts:
        """Counts some texts; returns their lengths."""
        lengths = measure_lengths(texts)
        self._lengths += np.bincount(length_bins(lengths), minlength=len(self._lengths))
        counts = np.bincount(character_codes(texts)[0])
        self._characters[: len(counts)] += counts
        self._rows += len(texts)
        self._sum += int(lengths.sum())
        self._squares += int((lengths * lengths).sum())
        return lengths

    def profile(self, pieces: PieceCounts | None) -> SideProfile:
        """The profile of the texts so far.

        Args:
            pieces: of a sample of them; None: not counted.
        """
        mean = self._sum / max(1, self._rows)
        counts = self._characters.copy()
        counts[_SURROGATES] = 0  # half of a pair is no character, and JSON has no way to write it
        ids, listed = most_frequent(counts, LISTED_CHARACTERS)
        return SideProfile(
            lengths=np.trim_zeros(self._lengths, "b").tolist(),
            mean_length=round(mean, 4),
            length_deviation=round(max(0.0, self._squares / max(1, self._rows) - mean * mean) ** 0.5, 4),
            characters="".join(map(chr, ids)),
            counts=listed,
            unlisted=int(self._characters.sum()) - sum(listed),
            repeats=self.repeats.spectrum(),
            pieces=pieces,
        )


def count_pieces(rows: FlatRows, model: PieceModel) -> PieceCounts:
    """The most frequent pieces of some texts.

    Args:
        rows: their ids, with eos.
        model: gave them.
    """
    counts: NDArray[np.int64] = np.bincount(rows.values, minlength=EOS_ID + 1)
    counts[EOS_ID] = 0
    ids, listed = most_frequent(counts, LISTED_PIECES)
    return PieceCounts(
        vocabulary=hashlib.sha256(model.proto).hexdigest(),
        rows=len(rows),
        ids=ids,
        counts=listed,
        shown=model.pieces(ids[:SHOWN_PIECES]),
        unlisted=int(counts.sum()) - sum(listed),
    )


def most_frequent(counts: NDArray[np.int64], limit: int) -> tuple[list[int], list[int]]:
    """The places with the greatest counts above 0, in that order, and their counts; of equal ones the lower place first."""
    places = np.flatnonzero(counts)
    order = places[np.lexsort((places, -counts[places]))][:limit]
    return order.tolist(), counts[order].tolist()
