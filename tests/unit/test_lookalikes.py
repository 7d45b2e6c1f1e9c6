from __future__ import annotations

import pytest

from seq2seq_core.lookalikes import explain_lookalike, spell_out


@pytest.mark.parametrize(
    ("text", "known", "told"),
    [
        (
            "e\u0301t\u00e9", ["a", "\u00e9t\u00e9"],
            '; "e\\u0301t\\u00e9" and "\\u00e9t\\u00e9" look alike and differ only in their Unicode form',
        ),
        ("\uff44\uff45", ["de"], '; "\\uff44\\uff45" and "de" look alike and differ only in their Unicode form'),
        ("\ufeffde", ["de"], '; "\\ufeffde" and "de" look alike and differ only in invisible characters'),
        ("d\u00ade ", ["de"], '; "d\\u00ade " and "de" look alike and differ only in invisible characters'),
        ("fr", ["de", "en"], ""),
        ("De", ["de"], ""),
        ("de", ["de"], ""),
    ],
)  # fmt: skip
def test_texts_that_look_alike_are_told_apart_by_their_code_points(text: str, known: list[str], told: str) -> None:
    assert explain_lookalike(text, known) == told


def test_a_long_text_is_cut() -> None:
    assert spell_out("a\n" + "🙂" * 100) == "a\\u000a" + "\\U0001f642" * 58 + "…"
