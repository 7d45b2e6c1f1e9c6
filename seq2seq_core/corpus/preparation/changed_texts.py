"""The mending rules, and the settings of the normal form, that may change a text."""

from __future__ import annotations

from seq2seq_core.normal_form import NormalForm

NOTHING = {"unicode_normalization": "none", "whitespace": "keep"}
"""The settings of the normal form, in the order in which they are applied, each with the value that changes no text."""


def settings_in_use(form: NormalForm) -> list[str]:
    """The mending rules and settings that may change a text, in the order in which they are applied.

    Args:
        form: the normal form.
    """
    return [*form.mend, *(name for name, nothing in NOTHING.items() if getattr(form, name) != nothing)]
