"""The languages of a corpus of sentences, where its texts are surely in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from seq2seq_core.config.section import Side
from seq2seq_core.corpus.language_identification import identify
from seq2seq_core.corpus_survey.choices.task_choice import Task

TASKS_OF_SENTENCES: tuple[Task, ...] = ("translation", "summarisation", "dialogue", "speech")
"""Tasks whose texts are long enough to tell their language."""
LOOKED_AT = 500
SURE_SHARE, SAME_SHARE = 0.3, 0.98
"""Least share of a side's texts whose language is sure, and of these that are in one language."""


def choose_languages(task: Task, sides: dict[Side, Sequence[str]]) -> dict[Side, str]:
    """The language of each side whose texts are in one; other sides are missing.

    Args:
        task: of the corpus.
        sides: the texts.
    """
    if task not in TASKS_OF_SENTENCES:
        return {}
    return {side: language for side, texts in sides.items() if (language := _language_of(texts))}


def _language_of(texts: Sequence[str]) -> str:
    looked_at = texts[:: max(1, len(texts) // LOOKED_AT)]
    found = Counter(language for text in looked_at if (language := identify(text)))
    if not found or found.total() < SURE_SHARE * len(looked_at):
        return ""
    ((language, count),) = found.most_common(1)
    return language if count >= SAME_SHARE * found.total() else ""
