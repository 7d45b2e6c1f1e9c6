"""Chunks of lines that are answered at once, up to the first line with a fault of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from seq2seq_core.cli.phrase_flags import locate_phrase_fault
from seq2seq_core.cli.tag_lines import locate_tag_fault
from seq2seq_core.errors import CorpusError, SourceError, TagError

if TYPE_CHECKING:
    from seq2seq_core.decoding.phrases.wanted_phrases import PhraseError, Phrases
    from seq2seq_core.decoding.predictor import Predictor

    LineFault = PhraseError | TagError | SourceError

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Chunk:
    """A group of lines that are decoded or scored at once.

    Attributes:
        sources: the source of each line.
        others: the target prefix or the target of each line; None for none.
        tags: the tag columns of each line.
        done: number of lines before this chunk.
    """

    sources: list[str]
    others: list[str] | None
    tags: list[dict[str, str]]
    done: int

    def halves(self) -> tuple[Chunk, Chunk]:
        """Its first lines, and the others."""
        half = len(self.sources) // 2
        others = (None, None) if self.others is None else (self.others[:half], self.others[half:])
        return (
            Chunk(self.sources[:half], others[0], self.tags[:half], self.done),
            Chunk(self.sources[half:], others[1], self.tags[half:], self.done + half),
        )


def answer_chunk(
    chunk: Chunk, answer: Callable[[Chunk], list[Answer]]
) -> tuple[list[Answer], PhraseError | TagError | SourceError | None]:
    """The answers up to the first line with a fault of its own, and this fault; None: no line has one.

    Args:
        chunk: the lines.
        answer: of some lines; checks all of them before it answers one.
    """
    from seq2seq_core.decoding.phrases.wanted_phrases import PhraseError

    try:
        return answer(chunk), None
    except (PhraseError, TagError, SourceError) as error:
        if len(chunk.sources) == 1:
            return [], error
    first, second = chunk.halves()
    found, fault = answer_chunk(first, answer)
    if fault is None:
        more, fault = answer_chunk(second, answer)
        found += more
    return found, fault


def locate_fault(
    fault: LineFault,
    chunk: Chunk,
    place: int,
    source: Path | None,
    predictor: Predictor,
    asked: Phrases | None = None,
) -> CorpusError:
    """The fault of a line, with the file and the number of the line.

    Args:
        fault: the fault.
        chunk: the lines around.
        place: the line's position among these.
        source: the file of the sources; None for standard input.
        predictor: found the fault.
        asked: the phrases for all lines.
    """
    line = chunk.done + place + 1
    if isinstance(fault, TagError):
        return locate_tag_fault(fault, source, line)
    if isinstance(fault, SourceError):
        return CorpusError(str(fault), source or "standard input", line)
    assert asked is not None, "there are phrases with a fault"
    (resolved,) = predictor.phrases.resolve(asked, chunk.sources[place : place + 1])
    return locate_phrase_fault(fault, asked, resolved, source, line)
