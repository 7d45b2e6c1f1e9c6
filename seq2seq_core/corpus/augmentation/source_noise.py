"""Kinds of noise that users write: case, typing errors, punctuation. They know letters by Unicode, not a language."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import partial
from random import Random

Noise = Callable[[str, Random], str]
"""A text with noise; the text itself where there is nothing to change."""


def noisy_case(text: str, chance: Random) -> str:
    """The text in small letters, in capitals, with a capital for each word, or with the case of its first letter exchanged.

    Args:
        text: a source.
        chance: draws one of those that change the text.
    """
    forms = (text.lower(), text.upper(), text.title(), text[:1].swapcase() + text[1:])
    changed = [form for form in dict.fromkeys(forms) if form != text]
    return chance.choice(changed) if changed else text


def noisy_typing(text: str, chance: Random, rate: float) -> str:
    """The text with typing errors: letters exchanged with the next one, left out, doubled, or replaced by another of the text.

    Args:
        text: a source.
        chance: draws places and errors.
        rate: the share of letters that have an error; at least one has.
    """
    symbols = _split_symbols(text)
    places = [place for place, symbol in enumerate(symbols) if symbol[0].isalpha()]
    if len(places) < 2:
        return text
    wanted = max(1, round(rate * len(places)))
    for place in chance.sample(places, min(wanted, len(places) - 1)):
        match chance.randrange(4):
            case 0 if place + 1 < len(symbols) and symbols[place + 1][:1].isalpha():
                symbols[place], symbols[place + 1] = symbols[place + 1], symbols[place]
            case 1:
                symbols[place] = ""
            case 2:
                symbols[place] *= 2
            case _:
                symbols[place] = symbols[chance.choice(places)]
    return "".join(symbols)


def noisy_punctuation(text: str, chance: Random) -> str:
    """The text without punctuation, without that at its end, with one mark doubled, or with a space before one.

    Args:
        text: a source.
        chance: draws one of those that change the text.
    """
    places = [place for place, symbol in enumerate(text) if unicodedata.category(symbol)[0] == "P"]
    if not places:
        return text
    place = chance.choice(places)
    bare = "".join(symbol for symbol in text if unicodedata.category(symbol)[0] != "P")
    end = len(text)
    while end and unicodedata.category(text[end - 1])[0] == "P":
        end -= 1
    forms = (bare, text[:end], f"{text[:place]}{text[place]}{text[place:]}", f"{text[:place]} {text[place:]}")
    changed = [form for form in dict.fromkeys(forms) if form != text]
    return chance.choice(changed) if changed else text


def kinds_of_noise(typo_rate: float) -> dict[str, Noise]:
    """The kinds, by the names of their settings.

    Args:
        typo_rate: of :func:`noisy_typing`.
    """
    return {"case": noisy_case, "typos": partial(noisy_typing, rate=typo_rate), "punctuation": noisy_punctuation}


def _split_symbols(text: str) -> list[str]:
    """The characters of a text, each with the marks that belong to it."""
    symbols = list[str]()
    for character in text:
        if symbols and unicodedata.category(character)[0] == "M":
            symbols[-1] += character
        else:
            symbols.append(character)
    return symbols
