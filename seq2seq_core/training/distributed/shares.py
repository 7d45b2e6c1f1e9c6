"""Who computes what of an update: its batches, shared out among ranks.

An update is planned alike on every rank and is the same whatever their number. The batches of each part, laid end to end, are cut
into as many equal lengths as there are ranks: with twice as many batches as ranks each gets two whole ones, with one batch each
gets some of its rows. Rows of a batch are of like length, so that equal numbers of them are about equal work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from seq2seq_core.training.data.update_plan import PlannedBatch


class Piece(NamedTuple):
    """Rows of one batch of an update that one rank computes."""

    batch: PlannedBatch
    """The batch with these rows alone."""
    key: tuple[int, ...]
    """What tells it from the other pieces of its update: the batch's number in it, and the first row where it is not whole."""


def whole_pieces(batches: Sequence[PlannedBatch]) -> list[Piece]:
    """All of an update: what a single rank computes."""
    return [Piece(batch, (number,)) for number, batch in enumerate(batches)]


def share_out(batches: Sequence[PlannedBatch], rank: int, number: int) -> list[Piece]:
    """The pieces of an update that a rank computes; none where there are fewer rows than ranks and others have them.

    Args:
        batches: of the update, part after part.
        rank: from 0.
        number: of ranks.
    """
    pieces = []
    for piece in whole_pieces(batches):
        batch, (place,) = piece
        own_part = [other for other, candidate in enumerate(batches) if candidate.part == batch.part]
        before, rows = own_part.index(place), len(batch.indices)
        first, last = (_cut(rows, edge * len(own_part) - before * number, number) for edge in (rank, rank + 1))
        if last - first == rows:
            pieces.append(piece)
        elif last > first:
            pieces.append(Piece(batch._replace(indices=batch.indices[first:last]), (place, first)))
    return pieces


def _cut(rows: int, distance: int, number: int) -> int:
    """The row at which a batch is cut.

    Args:
        rows: of the batch.
        distance: of the cut from the batch's beginning, in ``number``-ths of a batch; may lie outside it.
        number: of ranks.
    """
    return rows * min(max(distance, 0), number) // number
