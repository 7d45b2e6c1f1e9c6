"""The arguments of a prediction, and checks of those that are easily mistaken for one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.phrases.asked_phrases import AskedPhrases
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.stopping import Stop
from seq2seq_core.json_text import shorten

EXPECTED = "Phrases(force=..., forbid=..., glossary=...)"


@dataclass(frozen=True)
class AskedAnswers:
    """What a call of :meth:`~seq2seq_core.decoding.predictor.Predictor.predict` asks for besides its sources.

    Attributes:
        options: the decoding options.
        batch_sentences: most sources decoded together.
        prefixes: for each source.
        keep_alignments: whether hypotheses carry their alignment.
        tags: the columns of each source.
        stop: whether to end now.
        phrases: what targets must and must not contain.
    """

    options: DecodingOptions
    batch_sentences: int
    prefixes: Sequence[str] | None
    keep_alignments: bool
    tags: Sequence[Mapping[str, str]] | None
    stop: Stop | None
    phrases: AskedPhrases


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
