"""What names tell: the split and languages of a file, and which columns or files are source and target."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from seq2seq_core.artifacts import SPLITS

SPLIT_WORDS = {
    "train": re.compile(r"(train|training|trn)\d*"),
    "dev": re.compile(r"(dev|devel|development|valid|validation|val|tune|tuning|newsdev)\d*"),
    "test": re.compile(r"(test|tst|testing|eval|evaluation|heldout|newstest)\d*"),
}
"""Words of a file's name that tell its split."""

_CODES = """
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo
    es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg
    ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn
    no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta
    te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
LANGUAGES = frozenset(_CODES.split())
"""Codes of ISO 639-1."""
LANGUAGE_NAMES = {
    "english": "en", "german": "de", "deutsch": "de", "french": "fr", "francais": "fr", "spanish": "es", "italian": "it",
    "portuguese": "pt", "dutch": "nl", "russian": "ru", "polish": "pl", "czech": "cs", "hungarian": "hu", "finnish": "fi",
    "swedish": "sv", "danish": "da", "norwegian": "no", "greek": "el", "turkish": "tr", "arabic": "ar", "hebrew": "he",
    "hindi": "hi", "chinese": "zh", "japanese": "ja", "korean": "ko", "vietnamese": "vi", "thai": "th", "ukrainian": "uk",
    "romanian": "ro", "bulgarian": "bg", "swahili": "sw", "zulu": "zu", "persian": "fa", "bengali": "bn", "urdu": "ur",
    "englisch": "en", "anglais": "en", "inglés": "en", "français": "fr", "französisch": "fr", "español": "es", "spanisch": "es",
    "italiano": "it", "italienisch": "it", "português": "pt", "polski": "pl", "русский": "ru", "russisch": "ru",
    "indonesian": "id", "catalan": "ca", "basque": "eu", "irish": "ga", "welsh": "cy",
}  # fmt: skip


@dataclass(frozen=True)
class NamePair:
    """Names of columns or files that hold sources and targets, and the task that they tell of; empty: any."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    task: str = ""


NAME_PAIRS = (
    NamePair(("source", "src"), ("target", "tgt", "trg")),
    NamePair(("source", "src"), ("reference", "ref")),
    NamePair(("input", "inputs"), ("output", "outputs", "target", "label", "labels")),
    NamePair(
        ("audio", "wav", "recording", "audio path", "audio file", "audio filepath", "path", "file", "file name", "filename"),
        ("text", "transcript", "transcription", "sentence", "normalized text"),
        "speech",
    ),
    NamePair(
        ("document", "article", "dialogue", "body", "report", "doc", "text", "content", "story"),
        ("summary", "highlights", "abstract", "headline", "title", "tldr", "summaries"),
        "summarisation",
    ),
    NamePair(
        ("word", "words", "grapheme", "graphemes", "orthography", "spelling", "letters"),
        ("pronunciation", "pron", "phonemes", "phoneme", "phones", "ipa", "arpabet", "transcription"),
        "pronunciation",
    ),
    NamePair(("name", "native", "latin"), ("transliteration", "romanized", "romanised", "romanization"), "transliteration"),
    NamePair(
        ("misspelled", "misspelling", "misspelt", "wrong", "incorrect", "error", "typo", "original", "orig"),
        ("correct", "corrected", "correction", "right", "corr"),
        "spelling",
    ),
    NamePair(
        ("before", "raw", "noisy", "informal", "written", "unnormalized", "unnormalised", "original", "text"),
        ("after", "normalized", "normalised", "normalization", "normalisation", "clean", "formal", "spoken"),
        "normalisation",
    ),
    NamePair(("lemma",), ("form", "inflected", "inflection", "inflected form"), "inflection"),
    NamePair(
        ("question", "prompt", "context", "query", "utterance", "instruction", "message"),
        ("answer", "response", "reply", "completion"),
        "dialogue",
    ),
    NamePair(
        ("sentence", "utterance", "text", "command", "commands", "question", "nl", "query"),
        ("logical form", "lf", "program", "sql", "parse", "actions", "action", "code", "mr", "tree"),
        "parsing",
    ),
)
"""From the most to the least telling."""


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: runs of letters and digits, ``.gz`` left out."""
    return re.findall(r"[^\W_]+", name.lower().removesuffix(".gz"))


def plain(name: str) -> str:
    """A column's name in lower case, its words separated by single spaces."""
    return " ".join(words_of(name))


def leaf(name: str) -> str:
    """The last part of a dotted name: ``en`` of ``translation.en``."""
    return name.rpartition(".")[2] or name


def split_of(name: str) -> str | None:
    """The split that a file's name tells, by the file itself, else by its folders; None: none.

    Args:
        name: inside the corpus folder.
    """
    for part in reversed(PurePosixPath(name).parts):
        for word in words_of(part):
            for split in SPLITS:
                if SPLIT_WORDS[split].fullmatch(word):
                    return split
    return None


def language_of(word: str) -> str:
    """The ISO 639-1 code of a language's code or English name; empty: no language."""
    lower = word.lower().strip()
    first = re.split(r"[_-]", lower)[0] if re.fullmatch(r"[a-z]{2}[_-][a-z]{2,4}", lower) else lower
    return first if first in LANGUAGES else LANGUAGE_NAMES.get(lower, "")


def language_pair(name: str) -> tuple[str, str] | None:
    """Two languages that stand side by side in a name, such as ``en-de``; None: none.

    Args:
        name: of a file or folder.
    """
    words = words_of(name)
    for first, second in pairwise(words):
        pair = language_of(first), language_of(second)
        if all(pair) and pair[0] != pair[1]:
            return pair
    return None


def named_pair(names: Iterable[str]) -> tuple[str, str, str] | None:
    """Which of some names is the source and which the target, with the task that they tell of (empty: any); None: neither.

    Args:
        names: of columns, or words that tell two files apart.
    """
    by_plain = {plain(leaf(name)): name for name in names}
    for pair in NAME_PAIRS:
        sources = [by_plain[name] for name in pair.sources if name in by_plain]
        targets = [by_plain[name] for name in pair.targets if name in by_plain]
        for source in sources:
            for target in targets:
                if source != target:
                    return source, target, pair.task
    languages = [name for name in by_plain.values() if language_of(leaf(name))]
    if len(languages) >= 2:
        first, second = languages[:2]
        ordered = order_languages(leaf(first), leaf(second), [*map(leaf, languages)])
        return (first, second, "translation") if ordered[0] == leaf(first) else (second, first, "translation")
    return None


def is_known_name(name: str) -> bool:
    """Whether a text is a usual name of a column."""
    return plain(name) in _KNOWN_NAMES or (bool(language_of(name)) and name == name.strip())


_KNOWN_NAMES = {name for pair in NAME_PAIRS for name in (*pair.sources, *pair.targets)} | {
    "id", "index", "idx", "key", "line", "language", "lang", "source language", "target language", "speaker", "split",
    "domain", "features", "feature", "tag", "tags", "conversation", "turn", "url", "date", "year", "score", "label",
    "category", "type", "format", "novelty", "license", "duration", "gender", "age", "locale", "dialect", "client id",
    "dialog", "dialogue id", "conversation id", "turn id", "role", "class",
}  # fmt: skip


def order_languages(first: str, second: str, hints: Sequence[str]) -> tuple[str, str]:
    """Two languages (or ends of file names), the source's first: as a name has them side by side, else English first.

    Args:
        first: one of the two.
        second: the other.
        hints: names that may have both, the most telling first.
    """
    for hint in hints:
        words = words_of(hint)
        for pair in pairwise(words):
            if pair == (first.lower(), second.lower()):
                return first, second
            if pair == (second.lower(), first.lower()):
                return second, first
    if language_of(second) == "en":
        return second, first
    return first, second
