from __future__ import annotations

import pytest

from seq2seq_core.corpus.file_faults.text_faults import CONTROL_CHARACTER, find_mojibake, is_quoted_cell, quote


@pytest.mark.parametrize("text", ["Größe", "naïve café", "「日本語」", "привет", "été — “quoted”…", "emoji 🎉", "नमस्ते", "שלום"])
@pytest.mark.parametrize("codec", ["latin-1", "cp1252"])
def test_utf8_read_as_another_encoding_is_found(text: str, codec: str) -> None:
    garbled = text.encode("utf-8").decode(codec, errors="replace" if codec == "cp1252" else "strict")
    assert find_mojibake(garbled) >= 0 or CONTROL_CHARACTER.search(garbled)


@pytest.mark.parametrize(
    "text",
    [
        "Größe", "naïve café", "À la carte, Über, Ärger", "Spaß“, sagte er – „Fuß“", "L’Étranger… «DÉJÀ VU»", "år på ø",
        "São Paulo", "Ñandú", "£3 for 5°", "日本語", "привет", "AÇÃO", "mañana; MAÑANA", "Îles", "plain ascii", "señor “Ñ”",
    ],
)  # fmt: skip
def test_text_in_its_own_encoding_is_no_mojibake(text: str) -> None:
    assert find_mojibake(text) == -1


@pytest.mark.parametrize("character", ["\x00", "\x07", "\r", "\x0b", "\x1b", "\x7f", "\x80", "\x9d", "\ufffd"])
def test_control_characters_are_found(character: str) -> None:
    assert CONTROL_CHARACTER.search(f"a{character}b")


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\u00a0b", "a\u200db", "a\u2028b", "é"])
def test_white_space_and_format_characters_are_no_control_characters(text: str) -> None:
    assert not CONTROL_CHARACTER.search(text)


def test_quotes_are_short_printable_and_hold_the_place() -> None:
    text = "x" * 100 + "\x9d" + "y" * 100
    shown = quote(text, text.index("\x9d"), width=20)
    assert shown == '"…xxxxxxxxxx\\x9dyyyyyyyyy…"'
    assert quote("short\n", width=20) == '"short\\n"'


@pytest.mark.parametrize("text", ['"say ""no"""', '""""', '"a "" b"', '"""a"" b"', '"two\nlines ""a"""'])
def test_a_cell_as_excel_quotes_it_is_known(text: str) -> None:
    assert is_quoted_cell(text)


@pytest.mark.parametrize("text", ['"', '""', '"no"', '"a" and "b"', '""a""', 'say ""no""', '"say ""no""', "", '" " "'])
def test_quotation_marks_of_the_text_itself_are_no_quoting(text: str) -> None:
    assert not is_quoted_cell(text)
