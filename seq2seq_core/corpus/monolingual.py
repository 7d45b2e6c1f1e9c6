"""Streaming reader of monolingual corpora: plain text, or one column of a TSV or JSON lines file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from seq2seq_core.artifacts import MONOLINGUAL
from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.file_faults.broken_lines import OnFault
from seq2seq_core.corpus.file_faults.foreign_formats import format_of_name
from seq2seq_core.corpus.formats import Row, parse_json_line
from seq2seq_core.corpus.lines import CorpusFile, iterate_lines, without_line_end
from seq2seq_core.corpus.reading import CorpusEntry, SplitReader, find_file
from seq2seq_core.errors import CorpusError
from seq2seq_core.lookalikes import explain_lookalike


def monolingual_split(language: str) -> str:
    """The name of a language's sentences among the splits: ``monolingual.en``."""
    return f"{MONOLINGUAL}.{language}"


def open_monolingual(corpus: CorpusSection, root: Path) -> list[MonolingualReader]:
    """One reader per language, in the order of the languages' first files.

    Args:
        corpus: ``monolingual`` lists the files.
        root: the workspace; a relative corpus path starts here.

    Raises:
        CorpusError: the folder or a file is missing, or a file's format is unknown.
    """
    return [MonolingualReader(corpus, root, language) for language in dict.fromkeys(file.language for file in corpus.monolingual)]


class MonolingualReader(SplitReader):
    """The sentences of one language, in order, as rows whose two sides are the same.

    Args:
        corpus: the files and their layout.
        root: the workspace; a relative corpus path starts here.
        language: the language to read.

    Raises:
        CorpusError: the folder or a file is missing, or a file's format is unknown.
    """

    def __init__(self, corpus: CorpusSection, root: Path, language: str) -> None:
        self.language = language
        self._columns = {file.file: file.column for file in corpus.monolingual if file.language == language}
        super().__init__(corpus, root, monolingual_split(language))
        self.conversations = None  # its rows are sentences, even if those of pairs are turns

    def _find_entries(self, folder: Path) -> list[CorpusEntry]:
        """See :class:`SplitReader`."""
        return [_find_entry(self.corpus, folder, name, column) for name, column in self._columns.items()]

    def _stream_rows(self, entry: CorpusEntry, streams: list[io.BufferedReader], on_fault: OnFault) -> Iterator[Row]:
        """See :class:`SplitReader`."""
        (file,), (stream,), column = entry.files, streams, self._columns[entry.name]
        texts: Iterator[tuple[int, str]]
        if column is None:
            texts = ((line, without_line_end(text)) for line, text in iterate_lines(file, stream, on_fault))
        elif entry.format == "jsonl":
            texts = _read_key(file, stream, str(column), on_fault)
        else:
            texts = _read_column(file, stream, column, on_fault)
        return (Row(text, text, {}, file.name, line) for line, text in texts)


def _find_entry(corpus: CorpusSection, folder: Path, name: str, column: str | int | None) -> CorpusEntry:
    """A file that the settings name, and its format."""
    file = find_file(corpus, folder, "corpus.monolingual", name)
    ending = Path(name.removesuffix(".gz")).suffix.lower()
    if foreign := format_of_name(name):
        raise file.fault(foreign.advise(file.shown))
    if ending in (".csv", ".parquet"):
        raise file.fault(f"expected plain text, TSV or JSON lines in corpus.monolingual, got a name that ends in {ending}")
    if ending in (".tsv", ".jsonl") and column is None:
        raise file.fault(f"expected corpus.monolingual to name the column of the sentences, as {ending} files have several")
    return CorpusEntry((file,), "jsonl" if ending == ".jsonl" else "text" if column is None else "tsv")


def _read_column(file: CorpusFile, stream: io.BufferedReader, column: str | int, on_fault: OnFault) -> Iterator[tuple[int, str]]:
    """The texts of a TSV file's column: by its name in the first line, or by its number from 1 where no line names columns."""
    place = column - 1 if isinstance(column, int) else -1
    for line, text in iterate_lines(file, stream, on_fault):
        cells = without_line_end(text).split("\t")
        if place < 0:
            if column not in cells:
                raise file.fault(
                    f"no column {column!r}; the columns are {', '.join(map(repr, cells))}; expected it among them"
                    + explain_lookalike(str(column), cells),
                    line,
                )
            place = cells.index(str(column))
        elif place < len(cells):
            yield line, cells[place]
        else:
            on_fault(file.fault(f"expected at least {place + 1} columns, got {len(cells)}", line))


def _read_key(file: CorpusFile, stream: io.BufferedReader, key: str, on_fault: OnFault) -> Iterator[tuple[int, str]]:
    """The texts of one key of a JSON lines file."""
    for line, text in iterate_lines(file, stream, on_fault):
        try:
            cells = parse_json_line(file, line, text)
            if not isinstance(cells.get(key), str):
                raise file.fault(f"expected a JSON object with a text in {key!r}", line)
        except CorpusError as error:
            on_fault(error)
            continue
        yield line, cells[key]
