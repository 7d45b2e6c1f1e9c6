"""One fact of a diagnosis, with a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """A fact.

    Attributes:
        topic: what it is about.
        text: the fact.
        verdict: ``note`` may be as it should; ``problem`` stops a run or falsifies what it says.
        mend: what mends it, often a command; empty: nothing is to be mended.
    """

    topic: str
    text: str
    verdict: Verdict = "ok"
    mend: str = ""
