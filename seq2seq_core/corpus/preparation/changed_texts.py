"""Texts that the normal form changes, and the settings that do so."""

from __future__ import annotations

from functools import lru_cache

from seq2seq_core.normal_form import NormalForm

NOTHING = {"unicode_normalization": "none", "whitespace": "keep"}
"""The settings of the normal form, in the order in which they are applied, each with the value that changes no text."""


def settings_in_use(form: NormalForm) -> list[str]:
    """The settings that may change a text.

    Args:
        form: the normal form.
    """
    return [name for name, nothing in NOTHING.items() if getattr(form, name) != nothing]


def settings_changing(form: NormalForm, *texts: str) -> list[str]:
    """The settings that change any of some texts.

    Args:
        form: the normal form.
        texts: as they were read.
    """
    changing = list[str]()
    for name in settings_in_use(form):
        step = _step(name, getattr(form, name))
        new_texts = tuple(map(step.apply, texts))
        if new_texts != texts:
            changing.append(name)
        texts = new_texts
    return changing


@lru_cache
def _step(name: str, value: str) -> NormalForm:
    return NormalForm.model_validate(NOTHING | {name: value})
