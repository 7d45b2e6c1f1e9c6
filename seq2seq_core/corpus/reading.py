"""Streaming reader of a corpus: its files, and the rows of a split with file and line."""

from __future__ import annotations

import hashlib
import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from seq2seq_core.config.corpus import CorpusSection, FileEntry, constants_of, names_of
from seq2seq_core.corpus.conversations import pair_turns
from seq2seq_core.corpus.file_faults.broken_lines import BrokenLines, OnFault, raise_fault
from seq2seq_core.corpus.file_faults.foreign_formats import format_of_name
from seq2seq_core.corpus.formats import Row, read_aligned, read_csv, read_jsonl, read_tsv
from seq2seq_core.corpus.lines import HEAD_BYTES, CorpusFile, head_faults, unpack
from seq2seq_core.corpus.parquet_rows import read_parquet
from seq2seq_core.errors import CorpusError

logger = logging.getLogger(__name__)

FORMATS_BY_ENDING = {".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}
STREAM_READERS: dict[str, Callable[[CorpusSection, CorpusFile, io.BufferedReader, OnFault], Iterator[Row]]] = {
    "tsv": read_tsv,
    "csv": read_csv,
    "jsonl": read_jsonl,
}


@dataclass(frozen=True)
class CorpusEntry:
    """One item of ``corpus.files``: a file, or two aligned ones.

    Attributes:
        files: the file, or the source's and the target's.
        format: ``tsv``, ``csv``, ``jsonl``, ``parquet`` or ``text`` (two files).
        constants: columns with one value for all rows, besides the file's own columns.
    """

    files: tuple[CorpusFile, ...]
    format: str
    constants: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name, or both names."""
        return " + ".join(file.name for file in self.files)


class SplitReader:
    """The rows of one split of a corpus, in order; each iteration reads the files again.

    Args:
        corpus: the files and their layout.
        root: the workspace; a relative corpus path starts here.
        split: ``train``, ``dev`` or ``test``.

    Attributes:
        entries: the split's files; empty if the settings name none.
        total_bytes: size of the files on disk.
        bytes_read: bytes read in the current iteration.

    Raises:
        CorpusError: the folder or a file is missing, or a file's format is unknown.
    """

    def __init__(self, corpus: CorpusSection, root: Path, split: str) -> None:
        self.conversations, self.split = corpus.conversations, split
        source_column, target_column = corpus.pair_columns
        self.corpus = corpus.model_copy(update={"source_column": source_column, "target_column": target_column})
        self.entries = self._find_entries(find_folder(corpus, root))
        self.total_bytes = sum(file.path.stat().st_size for entry in self.entries for file in entry.files)
        self.bytes_read = 0

    def __iter__(self) -> Iterator[Row]:
        """The rows of all files; see :meth:`iterate_entry`. Malformed lines are set aside as far as the settings accept it."""
        self.bytes_read = 0
        for entry in self.entries:
            yield from self.iterate_accepted(entry)

    def iterate_accepted(self, entry: CorpusEntry) -> Iterator[Row]:
        """The rows of one entry, but for the malformed lines that the settings accept to set aside.

        Args:
            entry: one of :attr:`entries`.

        Raises:
            CorpusError: a line cannot be read; where the settings accept some of them, at the end if there are more.
        """
        if not self.corpus.max_malformed_fraction:
            yield from self.iterate_entry(entry)
            return
        broken, num_rows = BrokenLines(most=sys.maxsize), 0
        for row in broken.set_aside(self.iterate_entry(entry, broken)):
            num_rows += 1
            yield row
        if not broken.is_accepted(num_rows, self.corpus.max_malformed_fraction):
            raise broken.faults()[0]
        if broken.num_lines:
            logger.warning("%s: %d lines cannot be read and are set aside", entry.name, broken.num_lines)

    def iterate_entry(self, entry: CorpusEntry, on_fault: OnFault = raise_fault) -> Iterator[Row]:
        """The rows of one entry; constant columns come after the file's own.

        Args:
            entry: one of :attr:`entries`.
            on_fault: receives the fault of a line; where it returns, the rows behind it follow.

        Raises:
            CorpusError: the file is not valid in its format, or has a column of its own to which the settings give a constant
                value; names file and line.
        """
        rows = self._file_rows(entry, on_fault)
        if self.conversations is not None:
            rows = pair_turns(rows, self.conversations, entry.files[0], on_fault)
        for row in rows:
            if clash := entry.constants.keys() & row.columns.keys():
                raise entry.files[0].fault(
                    f"the file has a column {min(clash)!r} of its own; expected another name in the columns that "
                    f"corpus.files.{self.split} gives it",
                    row.line,
                )
            yield replace(row, columns=row.columns | entry.constants) if entry.constants else row

    def _file_rows(self, entry: CorpusEntry, on_fault: OnFault) -> Iterator[Row]:
        """The rows of an entry, without constant columns."""
        if entry.format == "parquet":
            yield from read_parquet(self.corpus, entry.files[0], on_fault)
            self.bytes_read += entry.files[0].path.stat().st_size
            return
        with ExitStack() as stack:
            raws = [stack.enter_context(io.FileIO(file.path)) for file in entry.files]
            streams = [stack.enter_context(unpack(file, raw)) for file, raw in zip(entry.files, raws, strict=True)]
            done = self.bytes_read
            for row in self._stream_rows(entry, streams, on_fault):
                self.bytes_read = done + sum(raw.tell() for raw in raws)
                yield row

    def _find_entries(self, folder: Path) -> list[CorpusEntry]:
        """The files of the split that the settings name."""
        names: list[FileEntry] = getattr(self.corpus.files, self.split)
        return [_find_entry(self.corpus, folder, self.split, name) for name in names]

    def _stream_rows(self, entry: CorpusEntry, streams: list[io.BufferedReader], on_fault: OnFault) -> Iterator[Row]:
        if entry.format == "text":
            return read_aligned(entry.files, streams, on_fault)
        return STREAM_READERS[entry.format](self.corpus, entry.files[0], streams[0], on_fault)

    def digest(self) -> str:
        """SHA-256 (hexadecimal) over the names and bytes of the split's files."""
        digest = hashlib.sha256()
        for file in (file for entry in self.entries for file in entry.files):
            with file.path.open("rb") as stream:
                digest.update(f"{file.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
        return digest.hexdigest()


def find_folder(corpus: CorpusSection, root: Path) -> Path:
    """The corpus folder.

    Args:
        corpus: reads ``path``.
        root: the workspace; a relative path starts here.

    Raises:
        CorpusError: there is no such folder.
    """
    folder = root / corpus.path
    if not folder.is_dir():
        raise CorpusError(
            "no such folder (corpus.path); expected a folder with the corpus files: `s2s sample-corpus` makes the bundled sample, "
            "`dvc pull` fetches a corpus that DVC tracks",
            corpus.path,
        )
    return folder


def _find_entry(corpus: CorpusSection, folder: Path, split: str, entry: FileEntry) -> CorpusEntry:
    files = tuple(find_file(corpus, folder, f"corpus.files.{split}", name) for name in names_of(entry))
    return CorpusEntry(files, _find_format(corpus, split, files), constants_of(entry))


def find_file(corpus: CorpusSection, folder: Path, setting: str, name: str) -> CorpusFile:
    """A file of a corpus.

    Args:
        corpus: names the folder in errors.
        folder: the corpus folder.
        setting: the setting that names the file, for errors.
        name: the file name inside the folder.

    Raises:
        CorpusError: there is no such file.
    """
    path = folder / name
    shown = str(Path(corpus.path) / name)
    if not path.is_file():
        present = sorted(other.name for other in folder.iterdir() if other.is_file() and not other.name.startswith("."))
        kind = "a link that leads to no file" if path.is_symlink() else "no plain file" if path.exists() else "no such file"
        listed = f"holds {', '.join(present[:20])}{' …' if len(present) > 20 else ''}" if present else "holds no file"
        raise CorpusError(
            f"{kind} ({setting}); the folder {listed}; `s2s sample-corpus` makes the bundled sample, "
            "`dvc pull` fetches a corpus that DVC tracks",
            shown,
        )
    return CorpusFile(path, name, shown)


def _find_format(corpus: CorpusSection, split: str, files: tuple[CorpusFile, ...]) -> str:
    """The format of an entry: from the settings, else from the file's ending."""
    file = files[0]
    if len(files) == 2:
        if corpus.format in ("auto", "text"):
            return "text"
        raise file.fault(
            f"two files are named together in corpus.files.{split}, which needs corpus.format text, got {corpus.format}"
        )
    ending = Path(file.name.removesuffix(".gz")).suffix.lower()
    kind = FORMATS_BY_ENDING.get(ending, "text") if corpus.format == "auto" else corpus.format
    if kind == "text" and (foreign := format_of_name(file.name)):
        raise file.fault(foreign.advise(file.shown))
    if kind == "text":
        known = ", ".join(FORMATS_BY_ENDING)
        raise file.fault(
            f"a text file alone holds no pairs; expected [source_file, target_file] in corpus.files.{split}, or a file in {known}"
        )
    if kind == "parquet" and file.is_compressed:
        raise file.fault("a Parquet file is compressed inside and cannot be read through gzip; unpack it first")
    return kind


def find_head_faults(entry: CorpusEntry) -> list[CorpusError]:
    """All faults that the first bytes of an entry's text files show.

    Args:
        entry: one of :attr:`SplitReader.entries`.
    """
    faults: list[CorpusError] = []
    if entry.format == "parquet":
        return faults
    for file in entry.files:
        try:
            with io.FileIO(file.path) as raw, unpack(file, raw) as stream:
                faults += head_faults(file, stream.peek(HEAD_BYTES))
        except CorpusError as error:
            faults.append(error)
    return faults
