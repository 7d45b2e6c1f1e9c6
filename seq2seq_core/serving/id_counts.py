"""How many ids texts have, in steps between which others get Python's lock, and without keeping the ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from seq2seq_core.decoding.stopping import Stop, check_stop
from seq2seq_core.normal_form import is_blank

if TYPE_CHECKING:
    from seq2seq_core.tokenization.subword import SubwordModel

STEP_CHARACTERS = 16_384
"""Characters of the texts that are encoded together; a longer text is encoded alone."""
FIRST_CHARACTERS = 6
"""Characters per id of the part of a long text that is encoded first: more than pieces of most models have."""


def count_ids(model: SubwordModel, texts: Iterable[str], most: int, stop: Stop | None = None) -> list[int]:
    """The number of ids of each text, without special ones; 0 for one without text.

    Pieces do not reach over a space into the next word. So a long text whose first words have ``most`` ids has at least as many,
    and its rest is not encoded.

    Args:
        model: encodes.
        texts: any texts.
        most: numbers above this one need not be exact.
        stop: asked before each step.

    Raises:
        DecodingStopped: ``stop`` said so.
    """
    counts: list[int] = []
    step: list[str] = []
    for text in texts:
        if step and sum(map(len, step)) + len(text) > STEP_CHARACTERS:
            counts += _count(model, step, most, stop)
            step = []
        step.append(text)
    return counts + _count(model, step, most, stop) if step else counts


def _count(model: SubwordModel, texts: list[str], most: int, stop: Stop | None) -> list[int]:
    check_stop(stop)
    ends = [_first_end(text, most) for text in texts]
    counts = [len(ids) for ids in model.encode([text[:end] for text, end in zip(texts, ends, strict=True)])]
    for place, (text, end) in enumerate(zip(texts, ends, strict=True)):
        if end < len(text) and counts[place] < most:
            counts[place] = len(model.encode([text])[0])
    return [0 if is_blank(text) else count for text, count in zip(texts, counts, strict=True)]


def _first_end(text: str, most: int) -> int:
    """Where the first words of a long text end; the whole text's end where it is not long, or has no such place."""
    first = most * FIRST_CHARACTERS
    if len(text) <= 2 * first:
        return len(text)
    end = text.rfind(" ", 0, first)
    while end > 0 and text[end - 1].isspace():
        end -= 1
    return end if end > 0 else len(text)
