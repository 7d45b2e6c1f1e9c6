"""Error rates: edits per symbol of the reference, in characters or words."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from seq2seq_core.evaluation.edit_distance import edit_distance


def error_rate(pairs: Iterable[tuple[Sequence[Hashable], Sequence[Hashable]]]) -> float:
    """Edits over all pairs, divided by the symbols of all references; the plain edits if the references have no symbol.

    It is above 1 if hypotheses are much too long.

    Args:
        pairs: hypotheses with their references.
    """
    edits = symbols = 0
    for hypothesis, reference in pairs:
        edits += edit_distance(reference, hypothesis)
        symbols += len(reference)
    return edits / max(1, symbols)
