"""The division of an update's batches among ranks.

Every rank makes the same plan of an update, which does not depend on the number of ranks. The batches of each part are laid end to
end and cut into one equal share for each rank. With twice as many batches as ranks, each rank gets two whole batches. With one
batch, each rank gets some of its rows. Rows of a batch have similar lengths, so that equal numbers of rows are about equal work.
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
    """A unique key within the update: the batch's number, and the first row if the batch is not whole."""


def whole_pieces(batches: Sequence[PlannedBatch]) -> list[Piece]:
    """All pieces of an update, as a single rank computes them."""
    return [Piece(batch, (number,)) for number, batch in enumerate(batches)]


def share_out(batches: Sequence[PlannedBatch], rank: int, number: int) -> list[Piece]:
    """The pieces of an update that a rank computes; none if there are fewer rows than ranks and others have them.

    Args:
        batches: of the update, part after part.
        rank: from 0.
        number: number of ranks.
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
        rows: rows of the batch.
        distance: distance of the cut from the batch's beginning, in ``number``-ths of a batch; may lie outside it.
        number: number of ranks.
    """
    return rows * min(max(distance, 0), number) // number
