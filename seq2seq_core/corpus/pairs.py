"""Prepared corpus files: one JSON object per line, with ``source``, ``target`` and the other columns; and their teacher."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import BinaryIO

import orjson

from seq2seq_core import atomic
from seq2seq_core.errors import CorpusError, MissingInput, UserError
from seq2seq_core.json_text import JsonError, parse_object

SOURCE = "source"
TARGET = "target"
SOURCE_LANGUAGE = "source_language"
"""Column with the language of the source, for corpora with several directions."""
TARGET_LANGUAGE = "target_language"
"""Column with the language of the target."""
TEXT = "text"
"""Key of the text of a monolingual sentence."""
RECORDING = "recording"
"""Column of a prepared corpus whose targets are recordings: the file's name. ``target`` is then the text that it says."""
RECORDING_DIGEST = "recording_sha256"
"""Column of an audio corpus, one side of which names recordings: SHA-256 of its samples. It makes a prepared file depend on the
recordings' content, not only on their names."""
PICTURE_DIGEST = "picture_sha256"
"""The same of a corpus of pictures: SHA-256 of size and pixels."""
FILE_DIGESTS = (RECORDING_DIGEST, PICTURE_DIGEST)
"""The columns that only pairs have of which a side names files."""
_MOST_AT_ONCE = 32 << 20
"""Bytes of lines that are read at once."""


def names_file(pair: Mapping[str, str]) -> bool:
    """Whether a side of a prepared pair is a recording or picture, of which the pair has the name.

    Args:
        pair: its columns.
    """
    return any(name in pair for name in FILE_DIGESTS)


def source_names_file(pair: Mapping[str, str]) -> bool:
    """Whether the source of a prepared pair is the name of a recording or picture.

    Args:
        pair: its columns.
    """
    return names_file(pair) and RECORDING not in pair


def iterate_pairs(path: Path) -> Iterator[dict[str, str]]:
    """The pairs of a prepared file, in order, one at a time.

    Args:
        path: a file that ``s2s prepare`` wrote, such as ``data/prepared/train.jsonl``.

    Yields:
        One mapping per pair: ``source``, ``target`` and the corpus's other columns, all text.

    Raises:
        MissingInput: the file does not exist.
        CorpusError: a line is not a JSON object with the texts ``source`` and ``target``.
    """
    with open_prepared(path) as file:
        for line, data in enumerate(file, start=1):
            yield parse_pair(data, path, line)


def open_prepared(path: Path) -> BinaryIO:
    """A prepared file, open for reading.

    Args:
        path: the file.

    Raises:
        MissingInput: it does not exist.
    """
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise MissingInput(f"{path}: no such file; `s2s prepare` (or `dvc repro prepare`) makes it") from None


def parse_pair(data: bytes, path: Path, line: int) -> dict[str, str]:
    """The pair in a line of a prepared file.

    Args:
        data: the line.
        path: the file.
        line: its number, from 1.

    Raises:
        CorpusError: it is not a JSON object with the texts ``source`` and ``target``.
    """
    if (texts := _read_texts(data)) is not None and SOURCE in texts and TARGET in texts:
        return texts
    expected = 'expected a JSON object with the texts "source" and "target", as `s2s prepare` writes it'
    try:
        parse_object(data.decode("utf-8"))
    except (JsonError, UnicodeDecodeError) as error:
        raise CorpusError(f"{error}; {expected}", path, line) from None
    raise CorpusError(expected, path, line)


def parse_pairs(lines: Sequence[bytes], path: Path, first: int) -> list[dict[str, str]]:
    """The pairs in neighbouring lines of a prepared file, read at once, or one by one where a line is odd.

    Args:
        lines: each with its end, which the last line of a file may lack.
        path: the file.
        first: the number of the first line, from 1.

    Raises:
        CorpusError: a line is not a JSON object with the texts ``source`` and ``target``.
    """
    pairs = _read_at_once(lines)
    return pairs or [parse_pair(data, path, line) for line, data in enumerate(lines, start=first)]


def _read_at_once(lines: Sequence[bytes]) -> list[dict[str, str]]:
    """The pairs in some lines; nothing: there is none, or they must be looked at one by one.

    The lines become the elements of one JSON array. No text goes on in the next line, because a line end in a text is invalid; an
    object that does has a value that is no text. So as many objects of texts as lines are those of the lines.
    """
    content = b",".join(lines)
    if content[:1] != b"{" or content.count(b"}\n,{") != len(lines) - 1 or len(content) > _MOST_AT_ONCE:
        return []
    try:
        pairs = orjson.loads(b"[%b]" % content)
    except orjson.JSONDecodeError:
        return []
    if len(pairs) != len(lines) or set(map(type, pairs)) != {dict}:
        return []
    if set(map(type, chain.from_iterable(map(dict.values, pairs)))) - {str}:
        return []
    has_sides = all(map(dict.__contains__, pairs, repeat(SOURCE))) and all(map(dict.__contains__, pairs, repeat(TARGET)))
    return pairs if has_sides else []


def _read_texts(data: bytes) -> dict[str, str] | None:
    """The object in a line, if all its values are texts."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if type(value) is dict and set(map(type, value.values())) <= {str} else None


def iterate_sentences(path: Path) -> Iterator[str]:
    """The texts of a prepared file of monolingual sentences, in order, one at a time.

    Args:
        path: a file that ``s2s prepare`` wrote, such as ``data/prepared/monolingual.en.jsonl``.

    Raises:
        CorpusError: a line is not a JSON object with a text.
    """
    with path.open("rb") as file:
        for line, data in enumerate(file, start=1):
            yield parse_sentence(data, path, line)


def parse_sentence(data: bytes, path: Path, line: int) -> str:
    """The text in a line of a prepared file of monolingual sentences.

    Args:
        data: the line.
        path: the file.
        line: its number, from 1.

    Raises:
        CorpusError: it is not a JSON object with a text.
    """
    texts = _read_texts(data)
    if texts is None or (text := texts.get(TEXT)) is None:
        raise CorpusError('expected a JSON object with a "text", as `s2s prepare` writes it', path, line)
    return text


def count_lines(path: Path) -> int:
    """Number of line ends of a file; 0 where it does not exist (reading it then raises the error).

    Args:
        path: a file that ``s2s prepare`` wrote.
    """
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def exchange_sides(pair: Mapping[str, str]) -> dict[str, str]:
    """The pair with source and target, and the languages of both, exchanged.

    Args:
        pair: with the columns ``source_language`` and ``target_language``.

    Raises:
        UserError: a language column is missing.
    """
    exchanged = {SOURCE: pair[TARGET], TARGET: pair[SOURCE]}
    if missing := [name for name in (SOURCE_LANGUAGE, TARGET_LANGUAGE) if name not in pair]:
        raise UserError(
            f"corpus.both_directions: must be false unless every pair of train has the columns {SOURCE_LANGUAGE} and "
            f"{TARGET_LANGUAGE}; {missing[-1]} is missing (in the file, or as a constant column in corpus.files.train)"
        )
    languages = {SOURCE_LANGUAGE: pair[TARGET_LANGUAGE], TARGET_LANGUAGE: pair[SOURCE_LANGUAGE]}
    return {**pair, **exchanged, **languages}


def format_pair(pair: Mapping[str, str]) -> str:
    """One line of a prepared file, its line end included."""
    return json.dumps(pair, ensure_ascii=False) + "\n"


def write_pairs(path: Path, pairs: Iterable[Mapping[str, str]]) -> int:
    """The number of pairs written to ``path``; the file appears only when complete.

    Args:
        path: the output file; its folder is created if missing.
        pairs: mappings with ``source``, ``target`` and other columns, all text.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    rows = 0
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            for pair in pairs:
                file.write(format_pair(pair))
                rows += 1
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return rows


@dataclass(frozen=True)
class PreparedTeacher:
    """The model whose outputs are pairs of train.

    Attributes:
        teacher: its name: ``models:/NAME/VERSION``, or the folder as the settings name it.
        digest: of its bundle.
    """

    teacher: str
    digest: str

    @property
    def tags(self) -> dict[str, str]:
        """Its tags for a run or a version of MLflow."""
        return {"teacher": self.teacher, "teacher_bundle_digest": self.digest}

    def save(self, path: Path) -> None:
        """Writes it as JSON.

        Args:
            path: such as ``data/prepared/teacher.json``.
        """
        atomic.write_text(path, json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n")


def read_teacher(path: Path) -> PreparedTeacher | None:
    """The teacher of a prepared corpus; None: it has none.

    Args:
        path: a file that :meth:`PreparedTeacher.save` wrote.
    """
    try:
        return PreparedTeacher(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
