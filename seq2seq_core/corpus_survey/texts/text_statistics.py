"""Statistics of the texts of one side of a corpus: lengths, words, characters, scripts."""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from seq2seq_core.normal_form import is_blank
from seq2seq_core.unspaced_scripts import UNSPACED_SCRIPTS

Number = TypeVar("Number", int, float)

IPA = re.compile("[\u0250-\u02af\u02b0-\u02ff\u0361\u0303\u032a\u0325\u0329\u1d00-\u1dbf]|[ɑɛɔœøŋðθβχɣʔ]")
"""Letters and marks of the International Phonetic Alphabet."""
ARPABET = re.compile(r"[A-Z]{1,2}[012]?")
LONGEST_WORDS = {"CJK": 3.5, "HIRAGANA": 3.5, "KATAKANA": 3.5}
"""Mean length of words up to which a text is taken to be cut into words, by script; for others of the kind, 6."""
OUTLIER = 10
"""A text so many times as long as the median says nothing about what the texts are."""


@dataclass(frozen=True)
class SideStatistics:
    """The texts of one side.

    Attributes:
        num_texts: how many there are.
        mean_characters: mean length of those that are not empty.
        long_characters: length that one text in a thousand exceeds.
        mean_words: mean number of words, separated by white space.
        long_words: number of words that one text in a thousand exceeds.
        typical_characters: mean length, that of an outlier counted as ``OUTLIER`` times the median.
        typical_words: the same of words.
        sizes: characters and words of each text that is not empty.
        characters: how often each character occurs.
        words: how often each word occurs.
        script: the commonest script among the letters, as Unicode names it; empty: no letter.
        empty: share of empty texts.
        tokenised: share of full stops and commas that stand alone, as a tokeniser leaves them.
    """

    num_texts: int
    mean_characters: float
    long_characters: int
    mean_words: float
    long_words: int
    typical_characters: float
    typical_words: float
    sizes: list[tuple[int, int]]
    characters: Counter[str]
    words: Counter[str]
    script: str
    empty: float
    tokenised: float

    @property
    def mean_word_characters(self) -> float:
        """Mean length of a word."""
        total = self.words.total()
        return sum(len(word) * count for word, count in self.words.items()) / total if total else 0.0

    @property
    def is_spaceless(self) -> bool:
        """Whether words are not separated by spaces."""
        return self.script in UNSPACED_SCRIPTS and self.mean_word_characters > LONGEST_WORDS.get(self.script, 6.0)

    @property
    def is_single_words(self) -> bool:
        """Whether most texts are one word, or a name of two."""
        return 0 < self.typical_words < 1.6 and self.typical_characters < 40 and not self.is_spaceless

    @property
    def is_symbols(self) -> bool:
        """Whether the texts are short symbols separated by spaces, such as phones or letters."""
        return self.mean_words >= 2 and self.mean_word_characters <= 2.5 and len(self.words) <= 2_000

    @property
    def are_symbols_letters(self) -> bool:
        """Whether most symbols are single characters."""
        return self.share_of_words(lambda word: len(word) == 1) > 0.98

    @property
    def phonetic_share(self) -> float:
        """Share of words that are written in a phonetic alphabet."""
        return self.share_of_words(lambda word: bool(IPA.search(word)))

    @property
    def arpabet_share(self) -> float:
        """Share of words that may be symbols of ARPABET."""
        return self.share_of_words(lambda word: bool(ARPABET.fullmatch(word)))

    @property
    def formal_share(self) -> float:
        """Share of words that hold something else than letters, sentence marks and apostrophes."""
        return self.share_of_words(lambda word: not all(character.isalpha() or character in _SENTENCE_MARKS for character in word))

    def share_of_words(self, has: Callable[[str], bool]) -> float:
        """Share of words, each as often as it occurs, for which a predicate holds.

        Args:
            has: the predicate.
        """
        total = self.words.total()
        return sum(count for word, count in self.words.items() if has(word)) / total if total else 0.0


_SENTENCE_MARKS = ".,;:!?¿¡'’‘\"“”„«»-–—…。、，！？；：「」『』·؟،।"


def describe_texts(texts: Sequence[str]) -> SideStatistics:
    """The statistics of the texts of one side.

    Args:
        texts: a sample of them.
    """
    filled = [text for text in texts if not is_blank(text)]
    lengths, num_words = [len(text) for text in filled], [len(text.split()) for text in filled]
    characters, words = Counter[str](), Counter[str]()
    for text in filled:
        characters.update(text)
        words.update(text.split())
    scripts = Counter[str]()
    for character, count in characters.items():
        scripts[_script_of(character)] += count
    del scripts[""]
    return SideStatistics(
        num_texts=len(texts),
        mean_characters=sum(lengths) / max(1, len(filled)),
        long_characters=exceeded_by_few(lengths, 0),
        mean_words=sum(num_words) / max(1, len(filled)),
        long_words=exceeded_by_few(num_words, 0),
        typical_characters=_mean_without_outliers(lengths),
        typical_words=_mean_without_outliers(num_words),
        sizes=list(zip(lengths, num_words, strict=True)),
        characters=characters,
        words=words,
        script=_main_script(scripts),
        empty=1 - len(filled) / max(1, len(texts)),
        tokenised=_share_tokenised(words),
    )


def _main_script(scripts: Counter[str]) -> str:
    """The commonest script; Japanese is the one with Hiragana, whatever the number of Chinese characters."""
    if not scripts:
        return ""
    if scripts["HIRAGANA"] > 0.1 * scripts.total():
        return "HIRAGANA"
    return scripts.most_common(1)[0][0]


@cache
def _script_of(character: str) -> str:
    """The script of a letter as Unicode's names begin; empty for what is no letter."""
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""


def exceeded_by_few(values: Sequence[Number], default: Number) -> Number:
    """The value that one in a thousand exceeds.

    Args:
        values: in any order.
        default: the value where there are none.
    """
    ordered = sorted(values)
    return ordered[len(ordered) * 999 // 1000] if ordered else default


def _mean_without_outliers(values: Sequence[int]) -> float:
    """The mean of values, none counted as more than ``OUTLIER`` times their median."""
    most = OUTLIER * statistics.median(values) if values else 0.0
    return sum(min(value, most) for value in values) / max(1, len(values))


def _share_tokenised(words: Counter[str]) -> float:
    """Share of sentence marks that are words of their own."""
    alone = sum(words[mark] for mark in (".", ",", "?", "!", "。", "、"))
    attached = sum(count for word, count in words.items() if len(word) > 1 and word[-1] in ".,?!。、" and word[-2].isalpha())
    return alone / (alone + attached) if alone + attached else 0.0
