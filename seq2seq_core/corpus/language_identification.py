"""The language of a text, by the library py3langid, whose model comes with it (a naive Bayes classifier; Lui and Baldwin 2012)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from seq2seq_core.config.section import Side
from seq2seq_core.errors import UserError

SURE = 0.9
"""Least confidence at which a language is told. Short texts and close relatives stay below it."""
NO_LANGUAGE = "zxx"
"""What the library tells of numbers and the like."""
MOST_CHARACTERS = 1000
"""Of a longer text only the beginning is looked at."""
NORWEGIAN = {"nb": "no"}
"""Codes of the library by those of Babel."""


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # here, because few corpora say their languages

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@functools.cache
def known_languages() -> frozenset[str]:
    """The codes of the languages that can be told."""
    return frozenset(_identifier().labels) - {NO_LANGUAGE}


@functools.cache
def find_language(code: str) -> str:
    """The library's code of a language; empty: it cannot be told.

    Args:
        code: ISO 639, in two or three letters, perhaps with a script or region: ``en``, ``eng``, ``en-GB``, ``deu_Latn``.
    """
    from babel.core import get_global

    short = code.lower().replace("_", "-").partition("-")[0]
    aliases = get_global("language_aliases")
    candidates = (short, aliases.get(short, ""), NORWEGIAN.get(short, ""), NORWEGIAN.get(aliases.get(short, ""), ""))
    return next((name for name in candidates if name in known_languages()), "")


def identify(text: str) -> str:
    """The code of a text's language; empty: it is not sure, or the text has no words.

    Args:
        text: any text.
    """
    language, confidence = _identifier().classify(text[:MOST_CHARACTERS])
    return str(language) if confidence >= SURE and language != NO_LANGUAGE else ""


def is_other(text: str, said: str) -> bool:
    """Whether a text is surely in another language than it is said to be; never if that one cannot be told.

    Args:
        text: any text.
        said: the code of a language.
    """
    expected = find_language(said)
    return bool(expected) and identify(text) not in ("", expected)


def check_languages(setting: str, languages: Mapping[Side, str]) -> None:
    """Checks that the languages of settings can be told.

    Args:
        setting: its name.
        languages: of some sides.

    Raises:
        UserError: one cannot.
    """
    for side, language in languages.items():
        if not find_language(language):
            raise UserError(
                f"{setting}.{side}: must be a language that can be told, got {language!r}; known are "
                f"{', '.join(sorted(known_languages()))}; leave the side out if its language is none of them"
            )
