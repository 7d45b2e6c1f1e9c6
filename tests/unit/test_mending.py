"""Mending rules of the normal form: what they change, what they leave alone, and that SQL mends as Python does."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import get_args

import pytest

from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.corpus.preparation.row_texts import texts_of
from seq2seq_core.corpus.rows.comparison_macros import create_comparison_macros
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.errors import UserError
from seq2seq_core.named_modules import names_of
from seq2seq_core.normal_form import MENDING_RULES, MendingName, NormalForm, load_normal_form

RULES: tuple[MendingName, ...] = get_args(MendingName)
EVERY_RULE = NormalForm(mend=RULES, unicode_normalization="NFKC", whitespace="collapse")
PARTS = [
    *("Ã©", "â€œ", "Â", "Ð°", "\x93", "\x81", "\x85", "é", "ж", "我", "a", "Z", " ", "\u00a0", "\n", "\u200b", "\u200d", "\u202e"),
    *(
        "&",
        "＆",
        "amp;",
        "quot;",
        "#39;",
        "#38;",
        "#x26;",
        "#0;",
        "#10;",
        "lt;",
        "notit;",
        ";",
        "\ufeff",
        "क",
        "\U0001f469",
        "\x00",
    ),
]


def _texts(seed: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(PARTS, k=chance.randrange(1, 9))) for _ in range(3000)]


def test_each_rule_is_a_file() -> None:
    assert sorted(RULES) == sorted(names_of(MENDING_RULES))


@pytest.mark.parametrize(
    ("rule", "text", "mended"),
    [
        ("mojibake", "cafÃ© â€œouiâ€\x9d, РџСЂРёРІРµС‚", "café “oui”, Привет"),
        ("mojibake", "Spaß“, déjà vu, Привет, 日本語 – naïve", "Spaß“, déjà vu, Привет, 日本語 – naïve"),
        ("c1_controls", "\x93Oui\x94\x81 costs 3 \x80", "“Oui” costs 3 €"),
        ("c1_controls", "café\x1f“oui”", "café\x1f“oui”"),
        ("escaped_text", "&quot;I&#39;m&quot; &amp;amp; &amp;lt;b&#x3E;&#10;&eacute;", '"I\'m" & <b> é'),
        ("escaped_text", "AT&T; a &notit; b &#0; &#xD800; R&D & &amp", "AT&T; a &notit; b &#0; &#xD800; R&D & &amp"),
        ("invisible_characters", "\ufeffzero\u200bwidth soft\xadhyphen \u202eto\u202c a\u200db", "zerowidth softhyphen to ab"),
        ("invisible_characters", "می\u200cخواهم क\u094d\u200dष 👩\u200d💻", "می\u200cخواهم क\u094d\u200dष 👩\u200d💻"),
    ],
)  # fmt: skip
def test_a_rule_mends_what_is_broken_and_leaves_the_rest_alone(rule: MendingName, text: str, mended: str) -> None:
    assert NormalForm(mend=(rule,)).apply(text) == mended
    assert NormalForm().apply(text) == text


def test_rules_are_tried_in_the_order_in_which_they_are_named() -> None:
    text = "&Atilde;&copy;"
    assert NormalForm(mend=("escaped_text", "mojibake")).apply(text) == "é"
    assert NormalForm(mend=("c1_controls",)).apply("&#147;") == "&#147;"
    with pytest.raises(ValueError, match="mend must name each rule once, got mojibake, mojibake"):
        PrepareSection.model_validate({"mend": ["mojibake", "mojibake"]})


def test_a_mended_text_stays_as_it_is(fresh_seed: int) -> None:
    for text in _texts(fresh_seed):
        once = EVERY_RULE.apply(text)
        assert EVERY_RULE.apply(once) == once


@pytest.mark.parametrize(
    ("part", "mended"), [("&amp;", "&"), ("&", "&"), ("&#", "&#"), ("&#38;amp;", "&"), ("\x9d", ""), ("Ã©", "é")]
)
def test_a_text_of_a_megabyte_is_mended(part: str, mended: str) -> None:
    times = 1_000_000 // len(part)  # with a rule of quadratic time this takes hours
    assert EVERY_RULE.apply(part * times + "x") == mended * times + "x"


def test_sql_mends_as_python_does_and_says_which_rule_changed_a_row(tmp_path: Path, fresh_seed: int) -> None:
    texts = _texts(fresh_seed)
    with open_row_store(tmp_path, "256 MB") as store:
        create_comparison_macros(store, EVERY_RULE)
        store.connection.execute("CREATE TABLE t (position BIGINT, source VARCHAR, target VARCHAR, identity VARCHAR)")
        numbers = list(range(len(texts)))
        store.insert("t", {"position": numbers, "source": texts, "target": ["x"] * len(texts), "identity": texts})
        columns = ", ".join(["source", "target", *(f"changed_by_{name}" for name in RULES)])
        found = store.fetch(f"SELECT {columns} FROM {texts_of('SELECT * FROM t', 'text', RULES)} ORDER BY position")
        for text, (source, target, *changes) in zip(texts, found, strict=True):
            assert (source, target) == (EVERY_RULE.apply(text), "x")
            for (_, rule), is_changed in zip(EVERY_RULE.mending_rules(), changes, strict=True):
                assert is_changed == (rule.apply(text) != text)
                text = rule.apply(text)


def test_without_mending_the_stored_form_is_what_it_was(tmp_path: Path) -> None:
    NormalForm().save(tmp_path / "plain.json")
    assert json.loads((tmp_path / "plain.json").read_text()) == {"unicode_normalization": "none", "whitespace": "strip"}
    EVERY_RULE.save(tmp_path / "mended.json")
    assert load_normal_form(tmp_path / "mended.json") == EVERY_RULE


def test_a_missing_library_is_a_fault_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from seq2seq_core.mending.rules import mojibake

    monkeypatch.setitem(__import__("sys").modules, "ftfy", None)
    mojibake._library.cache_clear()
    try:
        with pytest.raises(UserError, match="mending mojibake needs the package ftfy, which is not installed"):
            NormalForm(mend=("mojibake",)).apply("é")
        assert NormalForm(mend=("mojibake",)).apply("plain") == "plain"
    finally:
        mojibake._library.cache_clear()
