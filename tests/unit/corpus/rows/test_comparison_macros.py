"""The macros that make normal forms and keys, against Python's functions."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pyarrow
import pytest

from seq2seq_core.corpus.normalization import normalize_exactly, normalize_nearly
from seq2seq_core.corpus.rows.comparison_macros import create_comparison_macros
from seq2seq_core.corpus.rows.row_store import RowStore
from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.normal_form import NormalForm

ALL = [chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000]
LETTERS = 'abXYZ019 .,-!?$+\t\n"\\\0\x1f\x7f\x85\u00a0\u3000\u200b²٣éßİΣςﬁµǅ가क़'
COMMON = [*LETTERS, "E\u0301", "\u0301", "\u1100\u1161", "1/12", "1 . 2"]


def _make_texts(seed: int) -> list[str]:
    generator = random.Random(seed)
    few = ["".join(generator.choices(COMMON, k=generator.randrange(10))) for _ in range(20_000)]
    return [*(f"a{character}B" for character in ALL), *few, *("".join(generator.choices(ALL, k=2)) for _ in range(10_000))]


def _apply(store: RowStore, expression: str, texts: list[str]) -> list[object]:
    store.connection.register("texts", pyarrow.table({"text": pyarrow.array(texts)}))
    return [value for (value,) in store.fetch(f"SELECT {expression} FROM texts")]


def test_keys_and_json_are_those_of_python(tmp_path: Path, fresh_seed: int) -> None:
    texts = _make_texts(fresh_seed)
    functions: dict[str, Callable[[str], str]] = {
        "near_key(text)": normalize_nearly,
        "exact_key(text)": normalize_exactly,
        "json_text(text)": lambda text: json.dumps(text, ensure_ascii=False),
    }
    with open_row_store(tmp_path, "256 MB") as store:
        create_comparison_macros(store, NormalForm())
        for expression, function in functions.items():
            assert _apply(store, expression, texts) == [function(text) for text in texts], expression


@pytest.mark.parametrize(("unicode_form", "white_space"), [("NFC", "strip"), ("NFKC", "collapse")])
def test_the_normal_form_is_python_s(
    tmp_path: Path, fresh_seed: int, unicode_form: Literal["NFC", "NFKC"], white_space: Literal["strip", "collapse"]
) -> None:
    texts, form = _make_texts(fresh_seed), NormalForm(unicode_normalization=unicode_form, whitespace=white_space)
    with open_row_store(tmp_path, "256 MB") as store:
        create_comparison_macros(store, form)
        assert _apply(store, "white_space_form(unicode_form(text))", texts) == [form.apply(text) for text in texts]


def test_what_a_function_of_python_raises_comes_out_of_the_store(tmp_path: Path) -> None:
    fault = ValueError("a fault of the function")

    def fail(_: str) -> str:
        raise fault

    with pytest.raises(ValueError, match="a fault of the function") as caught, open_row_store(tmp_path, "256 MB") as store:
        store.add_function("fail", fail, ["VARCHAR"], "VARCHAR")
        _apply(store, "fail(text)", ["a"])
    assert caught.value is fault
