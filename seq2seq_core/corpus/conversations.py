"""Conversations: turns become pairs of the preceding turns and the reply."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from seq2seq_core.config.corpus import Conversations
from seq2seq_core.corpus.file_faults.broken_lines import OnFault, raise_fault
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.lines import CorpusFile
from seq2seq_core.corpus.normalization import digest
from seq2seq_core.errors import CorpusError
from seq2seq_core.lookalikes import explain_lookalike


@dataclass(frozen=True)
class _Turn:
    order: float
    row: Row


def pair_turns(rows: Iterable[Row], settings: Conversations, file: CorpusFile, on_fault: OnFault = raise_fault) -> Iterator[Row]:
    """The pairs of a file of turns: the target is a reply, the source the turns before it.

    Turns are sorted by their order; the first turn of a conversation gives no pair. Only one conversation is in memory.

    Args:
        rows: the turns, the text of each as its target.
        settings: the columns, and how many turns make a source.
        file: names the file in errors.
        on_fault: receives the fault of a turn.

    Raises:
        CorpusError: a row lacks a column or its order is no number, two turns have the same order, or the rows of a conversation
            are not contiguous.
    """
    seen: set[int] = set()
    conversation: list[_Turn] = []
    name: str | None = None
    for row in rows:
        try:
            own_name, order = _cell(row, settings.id_column, "id_column", file), _order(row, settings, file)
        except CorpusError as error:
            on_fault(error)
            continue
        if own_name != name:
            yield from _pair(conversation, settings, file, on_fault)
            conversation, name = [], own_name
            if (key := digest(own_name)) in seen:
                on_fault(
                    file.fault(
                        f"conversation {own_name!r} goes on after another one has begun; expected its rows together", row.line
                    )
                )
            seen.add(key)
        conversation.append(_Turn(len(conversation) if order is None else order, row))
    yield from _pair(conversation, settings, file, on_fault)


def _pair(conversation: list[_Turn], settings: Conversations, file: CorpusFile, on_fault: OnFault) -> Iterator[Row]:
    """The pairs of one conversation."""
    turns = sorted(conversation, key=lambda turn: turn.order)
    for place, turn in enumerate(turns[1:], start=1):
        if turn.order == turns[place - 1].order:
            fault = (
                f"turn {turn.order:g} of conversation {turn.row.columns[settings.id_column]!r} stands here and in line "
                f"{turns[place - 1].row.line}; expected one of each"
            )
            on_fault(file.fault(fault, turn.row.line))
            continue
        if settings.replies_by and _cell(turn.row, settings.speaker_column, "speaker_column", file) not in settings.replies_by:
            continue
        context = [earlier.row.target for earlier in turns[max(0, place - settings.context_turns) : place]]
        yield replace(turn.row, source=settings.separator.join(context))


def _order(row: Row, settings: Conversations, file: CorpusFile) -> float | None:
    """A turn's place in its conversation; None: that of its row."""
    if not settings.order_column:
        return None
    text = _cell(row, settings.order_column, "order_column", file)
    try:
        order = float(text)
    except ValueError:
        order = math.nan
    if not math.isfinite(order):
        raise file.fault(f"expected a number in {settings.order_column!r}, got {text!r}", row.line)
    return order


def _cell(row: Row, column: str, setting: str, file: CorpusFile) -> str:
    if column not in row.columns:
        shown = ", ".join(map(repr, row.columns)) or "none"
        raise file.fault(
            f"no column {column!r} (corpus.conversations.{setting}); beside the text there are {shown}"
            + explain_lookalike(column, row.columns),
            row.line,
        )
    return row.columns[column]
