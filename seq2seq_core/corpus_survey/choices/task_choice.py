"""The task that a corpus is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from seq2seq_core.corpus_survey.texts.pair_statistics import PairStatistics
from seq2seq_core.corpus_survey.texts.text_statistics import SideStatistics
from seq2seq_core.errors import UserError

Task = Literal[
    "translation", "transliteration", "pronunciation", "normalisation", "spelling", "inflection", "summarisation", "dialogue",
    "parsing", "speech", "synthesis", "lines", "captions",
]  # fmt: skip
"""A kind of task with settings of its own."""
TASKS: tuple[Task, ...] = get_args(Task)

Choice = tuple[Task, str]
"""A task and the reason for it."""


def parse_task(name: str) -> Task:
    """The task of a name; American spellings are accepted.

    Args:
        name: such as ``translation``.

    Raises:
        UserError: there is no such task.
    """
    lower = name.lower().replace("ization", "isation")
    for task in TASKS:
        if task == lower:
            return task
    raise UserError(f"--task: must be one of {', '.join(TASKS)}, got {name!r}")


def choose_task(named: str, source: SideStatistics, target: SideStatistics, pairs: PairStatistics, tags: Sequence[str]) -> Choice:
    """The likeliest task of pairs of texts, with the reason.

    Args:
        named: the task that names of columns or files tell of; empty: any.
        source: statistics of the sources.
        target: statistics of the targets.
        pairs: statistics of the pairs.
        tags: columns that tell apart the targets of a source.
    """
    if named and named != "translation":
        return parse_task(named), "the names of the columns or files say so"
    if source.is_single_words:
        return _choose_for_words(named, source, target, pairs, tags)
    is_same_script = source.script == target.script
    if target.formal_share > 0.5 and target.typical_words < 1.6:
        return "normalisation", "targets are single expressions with digits or signs"
    if target.formal_share >= max(0.25, 1.5 * source.formal_share):
        return "parsing", f"{100 * target.formal_share:.0f} % of the target's words hold signs or digits, as logical forms do"
    if source.typical_characters >= 400 and source.typical_characters > 3 * target.typical_characters and is_same_script:
        ratio = source.typical_characters / max(1.0, target.typical_characters)
        return (
            "summarisation",
            f"sources are long ({source.typical_characters:.0f} characters) and {ratio:.0f} times as long as targets",
        )
    if pairs.similarity >= 0.65 and is_same_script:
        return "normalisation", f"the two sides of a pair are much alike ({100 * pairs.similarity:.0f} % of the characters)"
    if pairs.shared_words >= 0.3 and is_same_script and named != "translation":
        return "dialogue", f"both sides are of one language ({100 * pairs.shared_words:.0f} % common words) and little alike"
    if named == "translation":
        return "translation", "names tell two languages"
    if is_same_script:
        return "translation", f"the two sides have few words in common ({100 * pairs.shared_words:.0f} %)"
    return "translation", "the two sides are in different scripts"


def _choose_for_words(
    named: str, source: SideStatistics, target: SideStatistics, pairs: PairStatistics, tags: Sequence[str]
) -> Choice:
    """The likeliest task of sources that are single words or names."""
    if tags and target.is_single_words:
        return "inflection", f"sources are words, and {tags[0]} tells which form of one is the target"
    if target.is_symbols:
        if target.phonetic_share > 0.03 or target.arpabet_share > 0.95:
            return "pronunciation", "sources are words, targets phones separated by spaces"
        if target.are_symbols_letters:
            return "transliteration", "sources are words or names, targets letters separated by spaces"
        return "pronunciation", "sources are words, targets short symbols separated by spaces"
    if target.phonetic_share > 0.3:
        return "pronunciation", "sources are words, targets are in a phonetic alphabet"
    if target.is_single_words and source.script != target.script and target.script:
        return "transliteration", "sources and targets are words or names in different scripts"
    if target.is_single_words and pairs.similarity >= 0.6:
        return "spelling", f"both sides are words and much alike ({100 * pairs.similarity:.0f} % of the characters)"
    if named == "translation":
        return "translation", "names tell two languages"
    return "normalisation", "sources are words that become other words of the same script"
