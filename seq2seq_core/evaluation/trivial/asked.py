"""What a model is asked: the source and the columns that are tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seq2seq_core.corpus.pairs import SOURCE

Asked = tuple[str, ...]
"""A source and the values of its tag columns: two pairs with equal ones get the same answer from a model."""


def asked(pair: Mapping[str, str], columns: Sequence[str]) -> Asked:
    """What a model is asked for a pair.

    Args:
        pair: with its ``source`` and other columns.
        columns: the columns that the model takes as tags; a missing one counts as empty.
    """
    return (pair[SOURCE], *(pair.get(column, "") for column in columns))
