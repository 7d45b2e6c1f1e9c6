from __future__ import annotations

import re
import unicodedata
from typing import get_args

import pytest

from seq2seq_core.config.metric_names import BleuTokenizer
from seq2seq_core.corpus_survey.texts.text_statistics import describe_texts
from seq2seq_core.evaluation.rouge import tokenize
from seq2seq_core.unspaced_scripts import UNSPACED_SCRIPTS, UNSPACED_TOKENIZERS

LETTERS = {
    "THAI": "กขคงจฉช", "LAO": "ກຂຄງຈສຊ", "TIBETAN": "ཀཁགངཅཆཇ", "MYANMAR": "ကခဂဃငစဆ", "KHMER": "កខគឃងចឆ",
    "HIRAGANA": "あいうえおかき", "KATAKANA": "アイウエオカキ", "CJK": "我你他们是的在",
}  # fmt: skip


@pytest.mark.parametrize("name", UNSPACED_SCRIPTS)
def test_a_script_without_spaces_is_one_for_the_survey_and_for_rouge(name: str) -> None:
    letters = LETTERS[name]
    assert describe_texts([letters]).is_spaceless
    assert tokenize(letters) == list(letters)


def test_each_script_holds_the_letters_that_unicode_names_by_it() -> None:
    for name, script in UNSPACED_SCRIPTS.items():
        assert {unicodedata.name(letter).partition(" ")[0] for letter in LETTERS[name]} == {name}
        assert re.fullmatch(f"[{script.characters}]+", LETTERS[name])
        others = "".join(letters for other, letters in LETTERS.items() if other != name)
        assert not re.search(f"[{script.characters}]", others + "abcдאअ")


def test_their_tokenisers_are_choices_of_the_settings_the_special_one_first() -> None:
    assert UNSPACED_TOKENIZERS == ("zh", "char")
    assert set(UNSPACED_TOKENIZERS) < set(get_args(BleuTokenizer))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("你好吗。 我走了。", True), ("我 喜欢 喝 茶 。", False), ("はい。 行きます。", True), ("私 は 行き ます 。", False)],
)
def test_short_sentences_are_told_from_words(text: str, expected: bool) -> None:
    assert describe_texts([text] * 3).is_spaceless is expected
