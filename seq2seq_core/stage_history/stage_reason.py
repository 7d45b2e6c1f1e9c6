"""A reason why a stage runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seq2seq_core.json_text import shorten

Kind = Literal["never run", "command", "setting", "code", "file", "model", "output", "other"]


@dataclass(frozen=True)
class StageReason:
    """A change since the last success of a stage.

    Attributes:
        kind: of what has changed.
        text: in one line.
        details: further lines, such as a line of code before and after.
    """

    kind: Kind
    text: str
    details: tuple[str, ...] = ()


NEVER_RUN = StageReason("never run", "never run")
MOST_CHARACTERS = 4000


def reasons_line(reasons: Sequence[StageReason]) -> str:
    """Reasons in one line.

    Args:
        reasons: in order.
    """
    return shorten("; ".join(reason.text for reason in reasons), MOST_CHARACTERS)


def reasons_page(reasons: Sequence[StageReason]) -> str:
    """Reasons as Markdown, lines of code included.

    Args:
        reasons: in order.
    """
    lines = [line.replace("```", "'''") for reason in reasons for line in (reason.text, *reason.details)]
    block = shorten("\n".join(lines), MOST_CHARACTERS)
    return f"**Why it ran**\n\n```diff\n{block}\n```\n"
