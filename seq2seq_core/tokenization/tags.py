"""Tags: columns of a pair, such as its target language, as single symbols before its ids (Johnson 2017, section 3).

A tag is a control symbol of a subword model, named by a column and one of its values: no text is ever encoded to it, and decoding
drops it. The tags of a model are those of train.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from seq2seq_core.errors import TagError
from seq2seq_core.lookalikes import explain_lookalike
from seq2seq_core.normal_form import AS_IT_IS, NormalForm
from seq2seq_core.tokenization.subword import SubwordModel

logger = logging.getLogger(__name__)

MAX_SHOWN = 50
"""Known values that an error lists."""


class TagColumns(BaseModel):
    """Which columns are tags: a part of the manifest and of a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: tuple[str, ...] = ()
    """Columns whose values come before the source's ids, in this order."""
    target: tuple[str, ...] = ()
    """Columns whose values are the target's first ids, in this order."""
    separator: str = ";"
    """Separator of the values in a column that holds several."""
    unknown: Literal["error", "ignore"] = "error"
    """Handling of a value that train did not have."""

    @property
    def all(self) -> tuple[str, ...]:
        """The columns of both sides, each once."""
        return tuple(dict.fromkeys((*self.source, *self.target)))


class Tags:
    """Turns the columns of a pair into the ids of its tags on one side.

    Args:
        columns: names of columns, in the order of their tags.
        model: the side's subword model; None for a source of frames, which can have no tags.
        separator: separates the values in a column that holds several.
        unknown: whether a value that is no tag of the model is an ``error``, or gets no symbol (``ignore``).
        normal_form: the normal form of the values in train; applied to every value.
    """

    def __init__(
        self,
        columns: Sequence[str],
        model: SubwordModel | None,
        separator: str = ";",
        unknown: Literal["error", "ignore"] = "error",
        normal_form: NormalForm = AS_IT_IS,
    ) -> None:
        known = {} if model is None else model.tags
        self.columns, self.separator, self.unknown, self.normal_form = tuple(columns), separator, unknown, normal_form
        self._ignored: Counter[str] = Counter()
        self._ids = {column: {value: id_ for (name, value), id_ in known.items() if name == column} for column in self.columns}

    def known_values(self, column: str) -> list[str]:
        """The values that a column may hold, alone or joined by the separator."""
        return list(self._ids[column])

    def ids(self, values: Mapping[str, str]) -> list[int]:
        """The ids of a pair's tags, column after column; an empty value has none.

        Args:
            values: the pair's columns, by name; other columns are ignored.

        Raises:
            TagError: a column is missing, or holds a value that train did not have.
        """
        found: list[int] = []
        for column in self.columns:
            if column not in values:
                raise TagError(
                    f"tag {column!r}: must be given, one of {self._shown(column)}; got nothing{explain_lookalike(column, values)}"
                )
            known = self._ids[column]
            for value in split_values(values[column], self.separator, self.normal_form):
                if value in known:
                    found.append(known[value])
                elif self.unknown == "error":
                    raise TagError(
                        f"tag {column!r}: must be one of {self._shown(column)}; got {value!r}{explain_lookalike(value, known)}"
                    )
                else:
                    self._ignored[f"{column} {value!r}"] += 1
        return found

    def warn_of_ignored(self, where: str) -> None:
        """Warns about the values that got no symbol since the last call, if any.

        Args:
            where: the origin of the values, for the message.
        """
        if self._ignored:
            most, _ = self._ignored.most_common(1)[0]
            logger.warning(
                "%s: %d values of tags are unknown to the model and left out (tokenize.unknown_tags), most often %s",
                where, self._ignored.total(), most,
            )  # fmt: skip
            self._ignored.clear()

    def _shown(self, column: str) -> str:
        values = self.known_values(column)
        listed = ", ".join(map(repr, values[:MAX_SHOWN]))
        return f"{listed} and {len(values) - MAX_SHOWN} more" if len(values) > MAX_SHOWN else listed or "none"


def split_values(text: str, separator: str, normal_form: NormalForm = AS_IT_IS) -> list[str]:
    """The values of a column's text in normal form, white space around each removed and empty ones left out."""
    # A normal form may make a separator of another character: the values that come of it are split too.
    parts = (piece for part in text.split(separator) for piece in normal_form.apply(part).split(separator))
    return [value for part in parts if (value := part.strip())]


def collect_tags(
    rows: Iterable[Mapping[str, str]], columns: Sequence[str], separator: str, normal_form: NormalForm = AS_IT_IS
) -> list[tuple[str, str]]:
    """Every (column, value) in the rows, in the order of the columns, then of the values.

    Args:
        rows: the pairs' columns, by name; read once. A missing column is skipped here; encoding the row raises an error.
        columns: which columns.
        separator: separates the values in a column that holds several.
        normal_form: the normal form of the values.
    """
    values: dict[str, set[str]] = {column: set() for column in columns}
    for row in rows:
        for column, found in values.items():
            found.update(split_values(row.get(column, ""), separator, normal_form))
    return [(column, value) for column, found in values.items() for value in sorted(found)]


def count_leading_tags(ids: Iterable[int], model: SubwordModel) -> int:
    """The number of tags at the start of a row of ids.

    Args:
        ids: of one side, as tokenised.
        model: the side's subword model.
    """
    tag_ids, count = model.tag_ids, 0
    for id_ in ids:
        if id_ not in tag_ids:
            break
        count += 1
    return count
