"""The database of a stage's last run, from which the next one goes on where the corpus has only grown at its ends.

What looks at one row alone is then done for new rows only. The folder may be deleted at any time. A run takes the database away and
puts its own in place when it has succeeded, so a killed run leaves none, and of two at once one goes on from it.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from seq2seq_core.corpus.reading import CorpusEntry, SplitReader, find_head_faults
from seq2seq_core.corpus.rows.plain_blocks import EntryEnd, OddFile, iterate_blocks

logger = logging.getLogger(__name__)

RECORD_FILE = "record.json"
TAKEN = "taken"
"""The folder, in that of a process, of what it has taken away."""
_READ_BYTES = 1 << 20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KeptEntry(_Part):
    """An entry that was read in blocks, to its end.

    Attributes:
        names: of its files.
        layout: their format, and the columns with one value for all rows.
        digests: SHA-256 of their content, as far as it was read.
        end: where it was read to.
    """

    names: tuple[str, ...]
    layout: tuple[str, dict[str, str]]
    digests: tuple[str, ...]
    end: EntryEnd


class KeptSplit(_Part):
    """The rows of a split.

    Attributes:
        rows: their number.
        columns: the corpus's other columns.
        entries: where they are from.
    """

    rows: int
    columns: list[str]
    entries: list[KeptEntry]


class KeptFile(_Part):
    """A file beside the database.

    Attributes:
        num_bytes: its size.
        digest: SHA-256 of its bytes.
    """

    num_bytes: int
    digest: str


class KeptRecord(_Part):
    """What a kept database was made of.

    Attributes:
        key: digest of the settings, but for the files, and of the code.
        num_bytes: size of the database.
        database_digest: SHA-256 of the database.
        splits: by name.
        files: that are kept beside it, by name.
    """

    key: str
    num_bytes: int
    database_digest: str
    splits: dict[str, KeptSplit]
    files: dict[str, KeptFile] = {}


class KeptRows:
    """The kept database of a stage.

    Args:
        folder: holds the database and its record, or does not exist.
        key: digest of all that it depends on besides the corpus.
        readers: of the splits.
    """

    def __init__(self, folder: Path, key: str, readers: Iterable[SplitReader]) -> None:
        self._folder, self._key, self._readers = folder, key, {reader.split: reader for reader in readers}
        self._states = {split: _file_states(reader) for split, reader in self._readers.items()}
        self._hashes = dict[Path, tuple[int, Any]]()
        """By file: how many bytes of it are digested, and the state of the digest, which goes on from there."""

    def claim(self, own: Path, database: str) -> KeptRecord | None:
        """Takes the database away, into a folder; None: there is none that the corpus goes on from.

        Args:
            own: the folder of this process.
            database: the name of the file.
        """
        try:
            record = KeptRecord.model_validate_json((self._folder / RECORD_FILE).read_bytes())
            if not self._goes_on(record):
                return None
            taken = own / TAKEN
            self._folder.rename(taken)
            if KeptRecord.model_validate_json((taken / RECORD_FILE).read_bytes()) != record:
                return None  # another process was faster
            size = (taken / database).stat().st_size
            if size != record.num_bytes or _digest(taken / database, size) != record.database_digest:
                return None
            (taken / database).rename(own / database)
        except (OSError, ValidationError):
            return None
        return record

    def _goes_on(self, record: KeptRecord) -> bool:
        if record.key != self._key or {*record.splits} - {*self._readers}:
            return False
        return all(self._is_continued(split, self._readers[name]) for name, split in record.splits.items())

    def keep(
        self,
        own: Path,
        database: str,
        splits: Mapping[str, tuple[int, list[str], dict[int, EntryEnd]]],
        files: Mapping[Path, KeptFile],
    ) -> None:
        """Puts a database in place, unless a file was not read in blocks, or has changed meanwhile, or the disk refuses it.

        Args:
            own: the folder of this process.
            database: the name of the file, which is closed.
            splits: by name: the number of rows, the other columns, and where each entry that was read in blocks was read to.
            files: to keep copies of.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        try:
            if (kept := self._describe(splits)) is not None:
                self._put(own, database, kept, files)
        except OSError as error:  # such as a full disk: the outputs of the run do not depend on it
            logger.warning("%s: the next run goes on from nothing: %s", self._folder, error)

    def _describe(self, splits: Mapping[str, tuple[int, list[str], dict[int, EntryEnd]]]) -> dict[str, KeptSplit] | None:
        """What the splits were made of; None: it cannot be gone on from."""
        kept = dict[str, KeptSplit]()
        for name, (rows, columns, ends) in splits.items():
            reader = self._readers[name]
            is_compressed = any(file.is_compressed for entry in reader.entries for file in entry.files)
            if is_compressed or len(ends) < len(reader.entries):
                return None
            entries = [self._describe_entry(entry, ends[place]) for place, entry in enumerate(reader.entries)]
            if self._states[name] != _file_states(reader):
                return None
            kept[name] = KeptSplit(rows=rows, columns=columns, entries=entries)
        return kept

    def _put(self, own: Path, database: str, splits: dict[str, KeptSplit], files: Mapping[Path, KeptFile]) -> None:
        draft = own / "kept"
        draft.mkdir()
        (own / database).rename(draft / database)
        size = (draft / database).stat().st_size
        found = _digest(draft / database, size)
        for path in files:
            shutil.copyfile(path, draft / path.name)
        named = {path.name: file for path, file in files.items()}
        record = KeptRecord(key=self._key, num_bytes=size, database_digest=found, splits=splits, files=named)
        (draft / RECORD_FILE).write_text(record.model_dump_json(), encoding="utf-8")
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # another process was faster
            draft.rename(self._folder)

    def _describe_entry(self, entry: CorpusEntry, end: EntryEnd) -> KeptEntry:
        return KeptEntry(**_place(entry), digests=self._digests(entry, end.sizes), end=end)

    def _is_continued(self, kept: KeptSplit, reader: SplitReader) -> bool:
        """Whether a split begins with the entries of a kept one, of which only the last may have grown."""
        if len(kept.entries) > len(reader.entries):
            return False
        for place, (found, entry) in enumerate(zip(kept.entries, reader.entries, strict=False)):
            if {"names": found.names, "layout": found.layout} != _place(entry):
                return False
            sizes = tuple(file.path.stat().st_size for file in entry.files)
            if any(size < before for size, before in zip(sizes, found.end.sizes, strict=True)):
                return False
            if found.digests != self._digests(entry, found.end.sizes):
                return False
            if sizes != found.end.sizes and (place < len(kept.entries) - 1 or not _can_grow(reader, entry, found.end)):
                return False
        return True

    def _digests(self, entry: CorpusEntry, sizes: tuple[int, ...]) -> tuple[str, ...]:
        """SHA-256 of the first bytes of an entry's files; of bytes that were digested before only what follows is read."""
        return tuple(self._digest_on(file.path, size) for file, size in zip(entry.files, sizes, strict=True))

    def _digest_on(self, path: Path, size: int) -> str:
        done, state = self._hashes.get(path, (0, hashlib.sha256()))
        if done > size:
            done, state = 0, hashlib.sha256()
        state = state.copy()
        _add_bytes(state, path, done, size)
        self._hashes[path] = (size, state)
        return str(state.hexdigest())


def _place(entry: CorpusEntry) -> dict[str, Any]:
    """The fields of a kept entry that the settings give."""
    return {"names": tuple(file.name for file in entry.files), "layout": (entry.format, entry.constants)}


def _can_grow(reader: SplitReader, entry: CorpusEntry, end: EntryEnd) -> bool:
    """Whether what an entry has behind its former end begins with a line, and is read in blocks."""
    for file, size in zip(entry.files, end.sizes, strict=True):
        with file.path.open("rb") as stream:
            stream.seek(size - 1)
            if stream.read(1) != b"\n":
                return False
    if find_head_faults(entry):
        return False
    try:
        for _ in iterate_blocks(reader, entry, end):
            pass
    except OddFile:
        return False
    finally:
        reader.bytes_read = 0
    return True


def _digest(path: Path, size: int) -> str:
    """SHA-256 of the first bytes of a file."""
    found = hashlib.sha256()
    _add_bytes(found, path, 0, size)
    return found.hexdigest()


def _add_bytes(state: Any, path: Path, start: int, end: int) -> None:
    """Adds some bytes of a file to a digest."""
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (data := file.read(min(end - start, _READ_BYTES))):
            state.update(data)
            start += len(data)


def _file_states(reader: SplitReader) -> list[tuple[int, int, int]]:
    """What tells that a file was written to: its size, time and place on the disk."""
    found = [file.path.stat() for entry in reader.entries for file in entry.files]
    return [(state.st_size, state.st_mtime_ns, state.st_ino) for state in found]
