"""``lexicon.jsonl`` of a served bundle: what train has for each question (source and tags), as plain text.

A line is a JSON array: the source, the value of each tag column, the commonest target, how often train has it for the question, and
how often train has the question. Lines are sorted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import orjson

from seq2seq_core.bundle.config_file import LEXICON_FILE, BundleConfig, read_plain_file
from seq2seq_core.corpus.pairs import SOURCE, TARGET
from seq2seq_core.errors import BundleError
from seq2seq_core.normal_form import is_blank
from seq2seq_core.tokenization.tags import split_values

MAX_LEXICON_BYTES = 1 << 34

Question = tuple[str, ...]
"""A source and its tags, in normal form."""


class KnownTarget(NamedTuple):
    """What train has for a question.

    Attributes:
        text: its commonest target, the earliest among equals.
        pairs: of the question with this target.
        total: all pairs of the question.
    """

    text: str
    pairs: int
    total: int


def question_of(source: str, values: Mapping[str, str], config: BundleConfig) -> Question:
    """A source and its tags as they stand in the lexicon.

    Args:
        source: a text.
        values: its columns, by name; those that are no tags are ignored.
        config: names the tags and the normal form.
    """
    tags, form = config.tags, config.normal_form
    own = (tags.separator.join(split_values(values.get(column, ""), tags.separator, form)) for column in tags.all)
    return (form.apply(source), *own)


def collect_lexicon(train: Iterable[Mapping[str, str]], config: BundleConfig) -> dict[Question, KnownTarget]:
    """The commonest target of each question of train; sources without text are left out.

    Args:
        train: the pairs of train.
        config: of the model that answers the other questions.
    """
    targets: dict[Question, Counter[str]] = {}
    for pair in train:
        if not is_blank(pair[SOURCE]):
            targets.setdefault(question_of(pair[SOURCE], pair, config), Counter())[pair[TARGET]] += 1
    found = {}
    for question, counts in targets.items():
        text, count = counts.most_common(1)[0]
        found[question] = KnownTarget(text, count, counts.total())
    return found


def write_lexicon(folder: Path, lexicon: Mapping[Question, KnownTarget]) -> None:
    """Writes the file; the same bytes for the same lexicon.

    Args:
        folder: the bundle's folder.
        lexicon: from :func:`collect_lexicon`.
    """
    with (folder / LEXICON_FILE).open("wb") as file:
        file.writelines(orjson.dumps([*question, *known]) + b"\n" for question, known in sorted(lexicon.items()))


def read_lexicon(folder: Path, config: BundleConfig) -> dict[Question, KnownTarget]:
    """The lexicon of a bundle.

    Args:
        folder: the bundle's folder.
        config: of its model.

    Raises:
        BundleError: the file holds something else.
    """
    path, number = folder / LEXICON_FILE, len(config.tags.all) + 1
    found: dict[Question, KnownTarget] = {}
    for place, line in enumerate(read_plain_file(path, MAX_LEXICON_BYTES).splitlines(), start=1):
        try:
            *texts, count, total = orjson.loads(line)
        except (ValueError, TypeError):
            texts, count, total = [], 0, 0
        is_sound = all(isinstance(text, str) for text in texts) and type(count) is type(total) is int and 1 <= count <= total
        if len(texts) != number + 1 or not is_sound:
            raise BundleError(f"{path}:{place}: expected a JSON array of {number + 1} texts and two counts")
        found[tuple(texts[:-1])] = KnownTarget(texts[-1], count, total)
    return found
