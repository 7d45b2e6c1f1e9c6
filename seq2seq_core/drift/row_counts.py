"""The counts of a side's measures in each row of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_core.drift.corpus_profile import Side, SideProfile
from seq2seq_core.drift.measures import CHARACTERS, LENGTH, PIECES, SCRIPTS, UNKNOWN, SideBins, side_bins
from seq2seq_core.drift.resampling import RowCounts
from seq2seq_core.drift.text_counts import (
    LENGTH_EDGES,
    NUM_CODES,
    Counts,
    character_codes,
    count_by_row,
    length_bins,
    measure_lengths,
    script_of_character,
)
from seq2seq_core.tokenization.flat_rows import FlatRows
from seq2seq_core.tokenization.special_tokens import EOS_ID


def count_side(name: Side, side: SideProfile, texts: Sequence[str], pieces: FlatRows | None) -> dict[str, RowCounts]:
    """The measures of one side, by row.

    Args:
        name: of the side.
        side: the whole corpus, which fixes the bins.
        texts: of the sample.
        pieces: their ids, with eos; None: not counted.
    """
    bins, ones = side_bins(side), np.ones(len(texts), dtype=np.int64)
    codes, lengths = character_codes(texts)
    known = count_by_row(bins.is_frequent()[codes], lengths, 2)
    found = {
        LENGTH: RowCounts("numbers", count_by_row(length_bins(measure_lengths(texts)), ones, len(LENGTH_EDGES) + 1)),
        SCRIPTS: RowCounts("shares", count_by_row(_script_numbers(bins)[codes], lengths, max(1, len(bins.scripts))), is_rare=True),
        CHARACTERS: RowCounts("shares", count_by_row(bins.character_bins()[codes], lengths, len(bins.characters) + 1)),
        UNKNOWN: count_events(known[:, 0], lengths),
    }
    if pieces is not None:
        is_piece = pieces.values != EOS_ID
        numbers = _piece_bins(pieces.values[is_piece], bins)
        found[PIECES] = RowCounts("shares", count_by_row(numbers, pieces.lengths - 1, len(bins.piece_ids) + 1))
    return {f"{name} {measure}": counts for measure, counts in found.items()}


def count_events(events: NDArray[Any], totals: Counts) -> RowCounts:
    """The counts of what is not, and of what is an event, by row.

    Args:
        events: their number in each row.
        totals: how many there could be.
    """
    return RowCounts("shares", np.stack([totals - events, events], axis=1).astype(np.float32), is_rare=True)


def _script_numbers(bins: SideBins) -> Counts:
    """The number of each known character's script; others, which no bin is of, have the first one's."""
    table, numbers = np.zeros(NUM_CODES, dtype=np.int64), {script: number for number, script in enumerate(bins.scripts)}
    for character in bins.alphabet:
        table[ord(character)] = numbers[script_of_character(character)]
    return table


def _piece_bins(ids: NDArray[np.int32], bins: SideBins) -> Counts:
    own = np.array(bins.piece_ids, dtype=np.int64)
    table = np.full(max(int(ids.max(initial=0)), int(own.max(initial=0))) + 1, len(own), dtype=np.int64)
    table[own] = np.arange(len(own))
    return table[ids]
