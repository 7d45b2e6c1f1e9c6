"""Text files that belong together line by line, found by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from seq2seq_core.corpus_survey.files.file_names import NAME_PAIRS, SPLIT_WORDS, language_of, named_pair, order_languages, words_of
from seq2seq_core.corpus_survey.files.folder_files import FolderFile

_SIDE_NAMES = {name for pair in NAME_PAIRS for name in (*pair.sources, *pair.targets)}


@dataclass(frozen=True)
class AlignedFiles:
    """Two files whose names differ in one word.

    Attributes:
        files: the source's and the target's.
        sides: the words in which their names differ, in the same order: ``("en", "de")``.
        task: the task that these words tell of; empty: any.
        others: files of further sides, which are left out.
    """

    files: tuple[FolderFile, FolderFile]
    sides: tuple[str, str]
    task: str
    others: tuple[FolderFile, ...]


def find_aligned(files: Sequence[FolderFile], folder_name: str, source: str = "", target: str = "") -> list[AlignedFiles]:
    """The aligned files among text files.

    Args:
        files: text files that are no tables.
        folder_name: the corpus folder's, which may tell the direction.
        source: the side to translate from, such as ``en``; empty: the likeliest.
        target: the side to translate to; empty: the likeliest.
    """
    by_key: dict[tuple[str, ...], dict[str, FolderFile]] = defaultdict(dict)
    for file in files:
        words = words_of(file.name)
        for place, word in enumerate(words):
            if _may_tell_a_side(word):
                by_key[(*words[:place], "*", *words[place + 1 :])].setdefault(word, file)
    found, used = [], set[str]()
    # A key with a wildcard at the end (an ending such as .en) is more telling than one in the middle.
    for _, sides in sorted(by_key.items(), key=lambda item: (-item[0].index("*") / len(item[0]), item[0])):
        free = {side: file for side, file in sides.items() if file.name not in used}
        chosen = _choose_sides(free, folder_name, source, target)
        if chosen is None:
            continue
        first, second, task = chosen
        used |= {file.name for file in free.values()}
        others = tuple(file for side, file in free.items() if side not in (first, second))
        found.append(AlignedFiles((free[first], free[second]), (first, second), task, others))
    return sorted(found, key=lambda aligned: aligned.files[0].name)


def _may_tell_a_side(word: str) -> bool:
    if any(pattern.fullmatch(word) for pattern in SPLIT_WORDS.values()):
        return False
    return word in _SIDE_NAMES or bool(language_of(word)) or re.fullmatch("[a-z]{2,3}", word) is not None


def _choose_sides(sides: dict[str, FolderFile], folder_name: str, source: str, target: str) -> tuple[str, str, str] | None:
    """The words of source and target, and the task that they tell of; None: they are no two sides."""
    wanted = [side.lower() for side in (source, target) if side.lower() in sides]
    if len(wanted) == 2:
        return wanted[0], wanted[1], ""
    if len(wanted) == 1 and len(sides) > 1:
        other = next(side for side in sides if side != wanted[0])
        return (wanted[0], other, "") if wanted[0] == source.lower() else (other, wanted[0], "")
    if (pair := named_pair(sides)) is not None and pair[2] != "translation":
        return pair
    codes = [side for side in sides if language_of(side) or re.fullmatch("[a-z]{2,3}", side)]
    known = [side for side in codes if language_of(side)]
    codes = [
        *known,
        *(side for side in codes if side not in known and side not in ("txt", "src", "tsv", "csv", "raw", "tok", "bpe")),
    ]
    if len(codes) < 2 or not known:
        return None
    hints = [file.name for file in sides.values()]
    first, second = order_languages(codes[0], codes[1], [_without_end(hints[0]), folder_name])
    return first, second, "translation"


def _without_end(name: str) -> str:
    """A name without its last word, so that the pair in ``train.de-en.en`` is de-en."""
    return " ".join(words_of(name)[:-1])
