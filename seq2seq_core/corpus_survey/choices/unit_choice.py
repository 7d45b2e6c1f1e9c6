"""The units of each side: characters, symbols or subwords, and how many."""

from __future__ import annotations

import math
from typing import Any

from seq2seq_core.corpus_survey.choices.task_choice import Task
from seq2seq_core.corpus_survey.texts.text_statistics import SideStatistics

CHARACTER_TASKS = ("transliteration", "pronunciation", "normalisation", "spelling", "inflection")
"""Tasks whose texts are read letter by letter."""
MOST_SYMBOLS = 4_000
"""A side with more different words is no side of symbols."""
RICH_SCRIPT = 1_000
"""From this many different characters on, rare ones are left to the unknown symbol."""
SUBWORDS_BY_ROWS = ((1_500, 500), (5_000, 1_000), (15_000, 2_000), (100_000, 6_000), (1_000_000, 12_000))
"""Vocabulary of subwords for up to so many pairs."""
MOST_SUBWORDS = 32_000
CHARACTERS_OF_A_SUBWORD, FEWEST_CHARACTERS_OF_A_SUBWORD = 4.0, 2.5
"""A usual length of subwords, and a cautious one for limits of lengths."""


def choose_units(task: Task, side: SideStatistics, num_rows: int, is_target: bool, is_joint: bool = False) -> dict[str, Any]:
    """The settings of a side's subword model.

    Args:
        task: the task.
        side: the side's texts; of a joint vocabulary, both sides'.
        num_rows: pairs of train.
        is_target: whether it is the target side.
        is_joint: whether both sides share the vocabulary.
    """
    if _has_symbols(task, side, is_target) and not is_joint:
        return {"model": "symbols", "vocabulary_size": round_up(2 * len(side.words) + 20)}
    if (
        task in CHARACTER_TASKS
        or task in ("lines", "synthesis")
        or (task == "speech" and len(side.words) > 1)
        or (side.is_single_words and task == "translation")
    ):
        units: dict[str, Any] = {"model": "char", "vocabulary_size": round_up(2 * len(side.characters) + 20)}
        if not is_target and not is_joint and task in ("pronunciation", "transliteration"):
            units["decompose"] = True
        return units
    size = next((size for rows, size in SUBWORDS_BY_ROWS if num_rows <= rows), MOST_SUBWORDS)
    units = {"model": "bpe" if side.typical_words > 1.5 else "unigram"}
    # Every character needs an entry, and a corpus of few words cannot fill many. A sample has fewer words than the corpus.
    needed = len(side.characters) + 50
    most = needed + len(side.words) if side.num_texts >= 0.8 * num_rows else size
    units["vocabulary_size"] = round_up(max(min(size, most), math.ceil(1.3 * needed)))
    if len(side.characters) > RICH_SCRIPT:
        units["character_coverage"] = 0.9995
    return units


def _has_symbols(task: Task, side: SideStatistics, is_target: bool) -> bool:
    """Whether a side's words are symbols that are never split."""
    if not side.words or len(side.words) > MOST_SYMBOLS:
        return False
    if task == "parsing":
        return True
    if task in ("pronunciation", "transliteration"):
        return is_target and side.is_symbols
    return task == "speech" and is_target and len(side.words) <= 200 and side.words.total() >= 10 * len(side.words)


def mean_units(model: str, side: SideStatistics) -> float:
    """An estimate of the mean number of units of a side's texts.

    Args:
        model: the side's subword model.
        side: its texts.
    """
    return _count(model, side.mean_characters, side.mean_words, _subword_length(side))


def excess_units(model: str, side: SideStatistics, most: float, is_cut: bool) -> float:
    """An estimate of the mean number of units of a side's texts that no training reads, because texts are longer than a limit.

    Args:
        model: the side's subword model.
        side: its texts.
        most: the limit of a text's units.
        is_cut: whether a longer text is cut there; else it is dropped.
    """
    counts = _estimate_units(model, side)
    return sum(count - is_cut * most for count in counts if count > most) / max(1, len(counts))


def longer_share(model: str, side: SideStatistics, most: float) -> float:
    """An estimate of the share of a side's texts that are longer than a limit.

    Args:
        model: the side's subword model.
        side: its texts.
        most: the limit of a text's units.
    """
    counts = _estimate_units(model, side)
    return sum(count > most for count in counts) / max(1, len(counts))


def _estimate_units(model: str, side: SideStatistics) -> list[float]:
    """The usual number of units of each text."""
    length = _subword_length(side)
    return [_count(model, characters, words, length) for characters, words in side.sizes]


def _subword_length(side: SideStatistics) -> float:
    """The usual length of a subword."""
    return 1.5 if side.is_spaceless else CHARACTERS_OF_A_SUBWORD


def most_units(model: str, side: SideStatistics) -> float:
    """A cautious estimate of the number of units of a side's long texts.

    Args:
        model: the side's subword model.
        side: its texts.
    """
    return _count(model, side.long_characters, side.long_words, 1.0 if side.is_spaceless else FEWEST_CHARACTERS_OF_A_SUBWORD)


def _count(model: str, characters: float, words: float, of_a_subword: float) -> float:
    if model == "char":
        return characters
    return words if model == "symbols" else max(words, characters / of_a_subword)


def length_limit(units: float) -> int:
    """A limit of tokens that texts of so many units keep: a margin above, in steps of 32, from 64 to 2,048."""
    return int(min(2_048, max(64, 32 * math.ceil((1.2 * units + 4) / 32))))


def round_up(number: float) -> int:
    """A number rounded up to two digits."""
    if number <= 100:
        return max(20, 10 * math.ceil(number / 10))
    step = 10 ** (len(str(math.ceil(number))) - 2)
    return int(step * math.ceil(number / step))
