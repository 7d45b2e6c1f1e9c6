"""Checks of the arguments of a prediction that are easily mistaken for one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.json_text import shorten

EXPECTED = "Phrases(force=..., forbid=..., glossary=...)"


def check_types(sources: object, phrases: object) -> None:
    """Checks the types of sources and phrases.

    Args:
        sources: one source, or several.
        phrases: for all sources or for each; None: none.

    Raises:
        TypeError: one of them is something else.
    """
    if isinstance(sources, Mapping | bytes) or not (hasattr(sources, "__len__") or isinstance(sources, Path)):
        raise TypeError(
            f"sources must be a text, the name of a recording or picture, or frames, or a sequence of these, got {_show(sources)}"
        )
    several = () if phrases is None or isinstance(phrases, Phrases) else phrases
    if isinstance(several, str | bytes) or not isinstance(several, Sequence):
        raise TypeError(f"phrases must be {EXPECTED}, or these for each source, got {_show(phrases)}")
    if others := [one for one in several if not isinstance(one, Phrases)]:
        raise TypeError(f"phrases must have {EXPECTED} for each source, got {_show(others[0])}")


def _show(given: object) -> str:
    return f"{type(given).__name__} {shorten(repr(given))}"
