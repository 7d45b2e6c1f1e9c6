"""Mending rules: each is one object ``RULE`` in its own file of ``mending/rules``, and changes faulty characters of a text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class MendingRule:
    """A repair of texts, the same in training and in service.

    Attributes:
        suspect: finds something in every text that the rule changes, in the syntax that Python shares with RE2: DuckDB looks for it
            too, and calls the rule for these texts alone.
        mend: the mended text.
    """

    suspect: re.Pattern[str]
    mend: Callable[[str], str]

    def apply(self, text: str) -> str:
        """The text, mended.

        Args:
            text: any text.
        """
        return self.mend(text) if self.suspect.search(text) else text
