"""What a test set has that the training set lacks: symbols of the sources, and values of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from seq2seq_core.corpus.pairs import SOURCE, source_names_file
from seq2seq_core.model_card.facts import Coverage

MAX_ROWS = 1_000_000
"""Training rows that are looked at, so that a registration stays quick with a large corpus."""


def find_coverage(train: Iterable[Mapping[str, str]], test: Sequence[Mapping[str, str]], columns: Sequence[str]) -> Coverage:
    """What test rows have that no training row has.

    Args:
        train: the prepared training pairs; read once.
        test: the rows of the test set.
        columns: whose values are compared.
    """
    symbols: set[str] = set()
    values: dict[str, set[str]] = {column: set() for column in columns}
    count, is_whole = 0, True
    for pair in train:
        if count == MAX_ROWS:
            is_whole = False
            break
        count += 1
        symbols.update(pair[SOURCE])
        for column, known in values.items():
            known.add(pair.get(column, ""))
    has_texts = not any(source_names_file(pair) for pair in test[:1])
    unseen = Counter(symbol for pair in test for symbol in sorted(set(pair[SOURCE]) - symbols)) if has_texts else Counter[str]()
    strange = {
        column: Counter(pair.get(column, "") for pair in test if pair.get(column, "") not in values[column]) for column in columns
    }
    return Coverage(
        train_rows=count,
        is_whole=is_whole,
        unseen_symbols=dict(unseen.most_common()),
        unseen_values={column: dict(found.most_common()) for column, found in strange.items() if found},
    )
