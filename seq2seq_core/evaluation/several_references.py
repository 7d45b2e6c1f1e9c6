"""Test sets that have several references for a question, as captions, dialogue and paraphrases have them.

Such a set has a row for each reference. Put together they are one row, whose target is the first reference and knows the others;
whoever reads only texts reads the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from seq2seq_core.corpus.pairs import TARGET


class References(str):
    """The first of several references, with all of them.

    Attributes:
        texts: all, in the order of the test set; each once.
    """

    __slots__ = ("texts",)
    texts: tuple[str, ...]

    def __new__(cls, texts: Sequence[str]) -> References:
        """References in their order.

        Args:
            texts: at least one; repeated ones count once.
        """
        different = tuple(dict.fromkeys(texts))
        references = super().__new__(cls, different[0])
        references.texts = different
        return references

    def __getnewargs__(self) -> tuple[tuple[str, ...]]:  # type: ignore[override]
        """What a copy is made of."""
        return (self.texts,)


def references_in(reference: str) -> tuple[str, ...]:
    """All references that a target stands for; one, unless rows were put together.

    Args:
        reference: the target of a row.
    """
    return reference.texts if isinstance(reference, References) else (reference,)


def is_right(hypothesis: str, reference: str) -> bool:
    """Whether a text equals a reference of its row.

    Args:
        hypothesis: the text.
        reference: the target of the row.
    """
    return hypothesis in references_in(reference)


def put_together(pairs: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """One row for all rows that are equal but for the target, in the order of the first of each.

    Args:
        pairs: the rows, each with its ``target`` and other columns.
    """
    rows = dict[frozenset[tuple[str, str]], list[Mapping[str, str]]]()
    for pair in pairs:
        rows.setdefault(frozenset((name, value) for name, value in pair.items() if name != TARGET), []).append(pair)
    return [{**same[0], TARGET: References([pair[TARGET] for pair in same])} for same in rows.values()]
