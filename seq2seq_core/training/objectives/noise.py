"""Noise on sentences, for denoising: words shuffled, dropped and blanked (Lample 2018, section 2.3), spans masked (Lewis 2020).

With subwords, a word is a run of pieces that begins at a space. With characters or symbols, each one is a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.config.objective_sections import Noise, SpanInfilling

Word = list[int]
"""The ids of a word."""


@dataclass
class NoiseCounts:
    """Counts of the applied noise, summed over sentences.

    Attributes:
        words: words before any noise.
        displacement: places by which words moved, either way, before any was dropped.
        dropped: words left out.
        blankable: words left after dropping, which may be blanked.
        blanked: words replaced by the mask symbol, one symbol a word.
        maskable: words left after dropping, which may be masked in spans.
        masked: words inside masked spans.
        spans: mask symbols that stand for spans, empty spans included.
    """

    words: int = 0
    displacement: int = 0
    dropped: int = 0
    blankable: int = 0
    blanked: int = 0
    maskable: int = 0
    masked: int = 0
    spans: int = 0


class WordNoise:
    """Corrupts sentences and counts what it did.

    Args:
        settings: kinds and rates.
        starts_word_V: for each id, whether it starts a word; bool.
        mask_id: the mask symbol.

    Attributes:
        counts: counts over all sentences so far.
    """

    def __init__(self, settings: Noise, starts_word_V: NDArray[np.bool_], mask_id: int) -> None:
        self.settings, self.starts_word_V, self.mask_id = settings, starts_word_V, mask_id
        self.counts = NoiseCounts()

    def corrupt(self, ids: Sequence[int], chance: np.random.Generator) -> list[int]:
        """A sentence with noise; at least one symbol is left unless the sentence is empty.

        Args:
            ids: ids of the sentence, without special ones.
            chance: the random stream; with the settings it determines the noise.
        """
        settings, counts = self.settings, self.counts
        words = split_words(ids, self.starts_word_V)
        if not words:
            return []
        order = shuffle_locally(len(words), settings.shuffle_distance, chance)
        counts.words += len(words)
        counts.displacement += int(np.abs(order - np.arange(len(words))).sum())
        kept = drop_words([words[place] for place in order], settings.drop_probability, chance)
        counts.dropped += len(words) - len(kept)
        is_blank = chance.random(len(kept)) < settings.blank_probability
        counts.blankable += len(kept)
        counts.blanked += int(is_blank.sum())
        blanked = [[self.mask_id] if blank else word for word, blank in zip(kept, is_blank, strict=True)]
        return [id_ for word in self._infill(blanked, chance) for id_ in word]

    def _infill(self, words: list[Word], chance: np.random.Generator) -> list[Word]:
        """The words with some spans of them replaced by the mask symbol."""
        if not self.settings.span_infilling.mask_probability:
            return words
        spans = draw_spans(len(words), self.settings.span_infilling, chance)
        self.counts.maskable += len(words)
        self.counts.masked += sum(spans)
        self.counts.spans += len(spans)
        return mask_spans(words, spans, self.mask_id, chance)


def split_words(ids: Sequence[int], starts_word_V: NDArray[np.bool_]) -> list[Word]:
    """The ids grouped into words; the first id always starts a word.

    Args:
        ids: ids of a sentence, without special ones.
        starts_word_V: for each id, whether it starts a word; bool.
    """
    words: list[Word] = []
    for id_ in map(int, ids):
        if words and not starts_word_V[id_]:
            words[-1].append(id_)
        else:
            words.append([id_])
    return words


def shuffle_locally(length: int, distance: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """A permutation that moves nothing by more than k places: it sorts i + U(0, k + 1)  (Lample 2018, section 2.3).

    Args:
        length: number of words.
        distance: k; 0 moves nothing.
        chance: the random stream.

    Returns:
        for each place the former place of its word; int64.
    """
    places = np.arange(length, dtype=np.int64)
    if not distance:
        return places
    order: NDArray[np.int64] = np.argsort(places + (distance + 1) * chance.random(length), kind="stable").astype(np.int64)
    return order


def drop_words(words: list[Word], probability: float, chance: np.random.Generator) -> list[Word]:
    """The words that are left after each is dropped with a probability; if all would go, a random one stays.

    Args:
        words: at least one.
        probability: below 1.
        chance: the random stream.
    """
    is_kept = chance.random(len(words)) >= probability
    if not is_kept.any():
        is_kept[chance.integers(len(words))] = True
    return [word for word, kept in zip(words, is_kept, strict=True) if kept]


def draw_spans(num_words: int, settings: SpanInfilling, chance: np.random.Generator) -> list[int]:
    """Lengths of spans, from a Poisson distribution, that together cover a share of the words (Lewis 2020, section 2.2).

    The share is rounded up or down at random, so that it holds on average; the last span is cut to fit. A span of length 0 inserts
    a mask symbol and hides nothing.

    Args:
        num_words: number of words of the sentence.
        settings: the share, and the mean of the lengths.
        chance: the random stream.
    """
    budget = int(settings.mask_probability * num_words + chance.random())
    spans: list[int] = []
    while budget:
        spans.append(min(int(chance.poisson(settings.mean_length)), budget))
        budget -= spans[-1]
    return spans


def mask_spans(words: list[Word], spans: Sequence[int], mask_id: int, chance: np.random.Generator) -> list[Word]:
    """The words with spans of the given lengths, at random places, each replaced by one mask symbol.

    All orders of the spans and the words between them are equally likely.

    Args:
        words: the words of a sentence.
        spans: their lengths; together at most the number of words.
        mask_id: the mask symbol.
        chance: the random stream.
    """
    items = chance.permutation(np.concatenate([np.asarray(spans, dtype=np.int64), np.full(len(words) - sum(spans), -1)]))
    masked: list[Word] = []
    place = 0
    for item in items.tolist():
        masked.append(words[place] if item < 0 else [mask_id])
        place += 1 if item < 0 else item
    return masked
