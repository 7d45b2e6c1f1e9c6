"""The columns that a bulk job adds to those of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seq2seq_core.bulk.row_block import RowResult

KINDS = {"": "text", "_score": "number", "_is_cut": "boolean"}
"""Endings of the columns of a hypothesis, and the kinds of their values."""
ROW_KINDS = {"_source_is_cut": "boolean"}
"""The same of a row."""
CONFIDENCE_KINDS = {"_confidence": "number", "_abstained": "boolean"}
"""The same of a row's answer, where the model has a calibrator."""


@dataclass(frozen=True)
class AnswerColumns:
    """Names and values of the added columns.

    Attributes:
        name: of the column of the predictions; the others begin with it.
        num_hypotheses: hypotheses of a row; those behind the best have a number in their columns' names.
        has_confidence: whether the model has a calibrator.
        has_lexicon: whether a lexicon is asked.
    """

    name: str
    num_hypotheses: int
    has_confidence: bool = False
    has_lexicon: bool = False

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each column's values, by name: text, number or boolean."""
        bases = [self.name, *(f"{self.name}_{place}" for place in range(2, self.num_hypotheses + 1))]
        kinds = {f"{base}{ending}": kind for base in bases for ending, kind in KINDS.items()}
        kinds |= {f"{self.name}{ending}": kind for ending, kind in ROW_KINDS.items()}
        if self.has_confidence:
            kinds |= {f"{self.name}{ending}": kind for ending, kind in CONFIDENCE_KINDS.items()}
        if self.has_lexicon:
            kinds[f"{self.name}_from_lexicon"] = "boolean"
        return kinds | {f"{self.name}_error": "text"}

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(self.kinds)

    def cells(self, result: RowResult) -> dict[str, Any]:
        """The values of a row by column; None where there is none.

        Args:
            result: the prediction of the row.
        """
        values: list[Any] = []
        for one in result.hypotheses[: self.num_hypotheses]:
            values += [one.text, one.score, one.is_cut]
        values += [None] * (len(KINDS) * self.num_hypotheses - len(values))
        values.append(result.hypotheses[0].source_is_cut if result.hypotheses else None)
        if self.has_confidence:
            values += [result.hypotheses[0].confidence, result.hypotheses[0].abstained] if result.hypotheses else [None, None]
        if self.has_lexicon:
            values.append(result.hypotheses[0].from_lexicon if result.hypotheses else None)
        return dict(zip(self.names, [*values, result.error or None], strict=True))
