from __future__ import annotations

import random
import re
import unicodedata
from pathlib import Path

import pyarrow

from seq2seq_core.corpus.file_faults.pair_differences import addresses_differ, numbers_differ, numbers_of
from seq2seq_core.corpus.file_faults.text_faults import CONTROL_CHARACTER, find_mojibake, is_quoted_cell, quote
from seq2seq_core.corpus.file_faults.text_noise import ESCAPE, HTML_TAG, MOST_CHARACTERS, is_repetitive
from seq2seq_core.corpus.normalization import normalize_exactly
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.corpus.rows.text_macros import NORMAL_CHARACTERS, create_macros
from seq2seq_core.mending.rules.invisible_characters import INVISIBLE_CHARACTER
from seq2seq_core.normal_form import FORMAT_CHARACTERS, WHITE_SPACE, is_blank

MARKS = ["Ã©", "â€œ", '"', '""', "e\u0301", "\u0307\u0323", "\u1100\u1161", "ß“", "\x00"]
MARKS += ["&amp;", "&#3", ";", "x@@ ", "@-@", "<b", ">", "<!--", "</P ", "1,0", "２.３", "٤", "http://a.b/", "www."]


def _apply(store: RowStore, macro: str, *columns: list[str]) -> list[object]:
    store.connection.register("texts", pyarrow.table({f"c{place}": pyarrow.array(texts) for place, texts in enumerate(columns)}))
    return [
        value for (value,) in store.fetch(f"SELECT {macro}({', '.join(f'c{place}' for place in range(len(columns)))}) FROM texts")
    ]


def test_normal_characters_neither_change_nor_compose() -> None:
    every = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    decompositions = [parts for one in every if len(parts := unicodedata.decomposition(one).split()) == 2]
    second = {chr(int(last, 16)) for first, last in decompositions if not first.startswith("<")}
    second |= set(map(chr, (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))))
    normal = [character for character in every if re.match(f"[{NORMAL_CHARACTERS}]", character)]
    assert len(normal) > 30_000
    assert not second.intersection(normal)
    assert all(unicodedata.is_normalized("NFC", one) and not unicodedata.combining(one) for one in normal)


def test_macros_tell_what_python_tells(tmp_path: Path, fresh_seed: int) -> None:
    generator = random.Random(fresh_seed)
    few = [*WHITE_SPACE, *FORMAT_CHARACTERS[::9], *map(chr, range(0x21, 0x180)), *MARKS, "日", "가", "\u200b", "\ufffd"]
    texts = ["", *("".join(generator.choices(few, k=generator.randrange(8))) for _ in range(20_000))]
    texts += ["ab" * MOST_CHARACTERS, "x " * 9 + "".join(map(chr, range(0x4E00, 0x9000))) * 8 + "a b" * 99]
    words = ["a", "b", "c", "", "日"]
    repeated = [generator.choice((" ", "")).join(generator.choices(words, k=generator.randrange(30))) for _ in range(2_000)]
    with open_row_store(tmp_path, "256 MB") as store:
        create_macros(store)
        assert _apply(store, "is_blank", texts) == [is_blank(text) for text in texts]
        assert _apply(store, "exact_form", texts) == [normalize_exactly(text) for text in texts]
        assert _apply(store, "has_control_character", texts) == [bool(CONTROL_CHARACTER.search(text)) for text in texts]
        assert _apply(store, "has_mojibake", texts) == [find_mojibake(text) >= 0 for text in texts]
        assert _apply(store, "is_quoted_cell", texts) == [is_quoted_cell(text) for text in texts]
        assert _apply(store, "has_invisible_character", texts) == [bool(INVISIBLE_CHARACTER.search(text)) for text in texts]
        assert _apply(store, "has_escape", texts) == [bool(ESCAPE.search(text)) for text in texts]
        assert _apply(store, "has_html_tag", texts) == [bool(HTML_TAG.search(text)) for text in texts]
        assert _apply(store, "is_repetitive", texts + repeated) == [is_repetitive(text) for text in texts + repeated]
        assert _apply(store, "numbers_of", texts) == [numbers_of(text) for text in texts]
        others = texts[1:] + texts[:1]
        assert _apply(store, "numbers_differ", texts, others) == list(map(numbers_differ, texts, others))
        assert _apply(store, "addresses_differ", texts, others) == list(map(addresses_differ, texts, others))
        assert _apply(store, "length", texts) == [len(text) for text in texts]
        assert _apply(store, "shown", texts) == [quote(text, width=40) for text in texts]
