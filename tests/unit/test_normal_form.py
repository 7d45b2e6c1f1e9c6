from __future__ import annotations

import logging
import random
import unicodedata
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.normal_form import AS_IT_IS, FORMAT_CHARACTERS, WHITE_SPACE, NormalForm, is_blank, load_normal_form

UNICODE_FORMS, WHITESPACE = (get_args(NormalForm.model_fields[name].annotation) for name in ("unicode_normalization", "whitespace"))
EVERY_FORM = [NormalForm(unicode_normalization=one, whitespace=other) for one, other in product(UNICODE_FORMS, WHITESPACE)]
# Spaces of every kind, accents that compose and that become a space and an accent, ligatures, wide letters, jamo, line ends.
CHARACTERS = "a e\u0301\u0327é  \u00a0\u2003\u3000\t\x1c\x85\u2028´¨˘ﬁ½Ａ１\u1112\u1161\u11ab한\u0344Å\u212b\u200b\ufeff①ｶﾞ"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"whitespace": "keep"}, " cafe\u0301  ﬁn\u00a0"),
        ({"whitespace": "strip"}, "cafe\u0301  ﬁn"),
        ({"whitespace": "collapse"}, "cafe\u0301 ﬁn"),
        ({"whitespace": "collapse", "unicode_normalization": "NFC"}, "café ﬁn"),
        ({"whitespace": "strip", "unicode_normalization": "NFKC"}, "café  fin"),
    ],
)
def test_text_is_normalised_as_configured(settings: dict[str, str], expected: str) -> None:
    section = PrepareSection.model_validate(settings)
    assert section.normal_form.apply(" cafe\u0301  ﬁn\u00a0") == expected


def test_by_default_code_points_stay_as_they_are() -> None:
    assert PrepareSection().normal_form.apply("e\u0301 ﬁ ½") == "e\u0301 ﬁ ½"


@pytest.mark.parametrize("form", EVERY_FORM, ids=lambda form: f"{form.unicode_normalization} {form.whitespace}")
def test_a_text_in_normal_form_stays_as_it_is(form: NormalForm, fresh_seed: int) -> None:
    chance = random.Random(fresh_seed)
    for _ in range(5000):
        once = form.apply("".join(chance.choices(CHARACTERS, k=chance.randrange(12))))
        assert form.apply(once) == once


def test_white_space_and_format_characters_alone_are_no_text() -> None:
    every = [chr(code) for code in range(0x110000)]
    assert set(WHITE_SPACE) == {character for character in every if character.isspace()}
    assert set(FORMAT_CHARACTERS) == {character for character in every if unicodedata.category(character) == "Cf"}
    invisible = "\u200b \ufeff\xad\t\u202e"
    assert is_blank(invisible)
    assert not is_blank(f"{invisible}a")
    assert [form.apply(invisible) for form in EVERY_FORM if form.whitespace != "keep"] == [""] * 6
    assert NormalForm().apply(f"{invisible}a") == f"{invisible}a"


def test_the_form_of_what_names_none_changes_nothing() -> None:
    assert AS_IT_IS.apply(CHARACTERS) == CHARACTERS


def test_a_form_is_read_as_it_was_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for form in EVERY_FORM:
        form.save(tmp_path / "form.json")
        assert load_normal_form(tmp_path / "form.json") == form
    missing = tmp_path / "none.json"
    with caplog.at_level(logging.WARNING):
        assert load_normal_form(missing) == AS_IT_IS
    assert caplog.messages == [f"{missing}: no such file; `s2s prepare` makes it. The model will read every text as it is"]
