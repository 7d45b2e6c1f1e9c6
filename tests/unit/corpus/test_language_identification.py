from __future__ import annotations

import pytest

from seq2seq_core.corpus.language_identification import check_languages, find_language, identify, is_other
from seq2seq_core.errors import UserError

GERMAN, FRENCH = "Ein Mann schläft in einem grünen Raum auf dem Sofa.", "Un homme dort sur le canapé dans une pièce verte."


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("de", "de"),
        ("deu", "de"),
        ("de-AT", "de"),
        ("deu_Latn", "de"),
        ("DE", "de"),
        ("nob", "no"),
        ("zul", "zu"),
        ("xx", ""),
        ("", ""),
    ],
)
def test_languages_are_known_by_the_codes_of_iso_639(code: str, known: str) -> None:
    assert find_language(code) == known


def test_only_a_sure_language_is_told() -> None:
    assert (identify(GERMAN), identify(FRENCH)) == ("de", "fr")
    assert [identify(text) for text in ("", "12:30 – 14:15", "a", "OK", "\u200b", "\ud800")] == [""] * 6
    assert is_other(FRENCH, "de")
    assert not is_other(FRENCH, "fra")
    assert not is_other(FRENCH, "nah")  # a language that cannot be told


def test_a_declared_language_that_cannot_be_told_is_refused_with_the_way_out() -> None:
    check_languages("corpus.languages", {"source": "en", "target": "deu"})
    with pytest.raises(UserError, match=r"^prepare\.drop_other_languages\.target: must be .* told, got 'nah'; known are .*zu; "):
        check_languages("prepare.drop_other_languages", {"source": "en", "target": "nah"})
