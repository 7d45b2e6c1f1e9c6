"""The files that the sources of a corpus name: recordings or pictures, their checks, and digests that tell equal ones."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.corpus.file_faults.text_faults import quote
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.reading import find_folder
from seq2seq_core.errors import CorpusError, SourceFileError


@dataclass(frozen=True)
class FoundFile:
    """A usable file.

    Attributes:
        digest: hexadecimal SHA-256 of its samples or pixels; files with equal digests are equal, whatever their names.
        seconds: duration of a recording; None: it is a picture.
    """

    digest: str
    seconds: float | None = None


class SourceFiles(ABC):
    """The files of one kind that a corpus names.

    Args:
        folder: the folder that their names are relative to.

    Attributes:
        noun: what the files are, for contracts and messages: ``recordings`` or ``pictures``.
        digest_column: the column of prepared pairs with their digests.
        prepared_folder: the folder of the prepared corpus that receives them.
    """

    noun: str
    digest_column: str
    prepared_folder: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def find(self, name: str) -> FoundFile:
        """The digest of a file.

        Args:
            name: the source of a row.

        Raises:
            SourceFileError: the name leads out of the folder, or the file cannot be used.
        """

    def copy(self, name: str, folder: Path) -> None:
        """Copies a file to the same name in another folder, unless it exists there.

        Args:
            name: a name that :meth:`find` accepts.
            folder: the other folder.
        """
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.path_of(name), target)

    def path_of(self, name: str) -> Path:
        """Where a file is.

        Args:
            name: the source of a row.

        Raises:
            SourceFileError: the name leads out of the folder.
        """
        place = PurePosixPath(name)
        if not name.strip() or "\0" in name or place.is_absolute() or ".." in place.parts:
            raise SourceFileError("expected the name of a file inside the corpus folder (corpus.path)")
        return self.folder / place


def open_source_files(corpus: CorpusSection, root: Path) -> SourceFiles | None:
    """The files that a corpus's sources name; None if its sources are texts.

    Args:
        corpus: reads ``source_kind``, ``path``, and the settings of its kind.
        root: the workspace; a relative corpus path starts here.

    Raises:
        CorpusError: there is no corpus folder.
    """
    if corpus.source_kind == "audio":
        from seq2seq_core.corpus.recordings import Recordings

        return Recordings(find_folder(corpus, root), corpus.sample_rate)
    if corpus.source_kind == "image":
        from seq2seq_core.corpus.named_files.picture_files import Pictures

        return Pictures(find_folder(corpus, root), corpus.pictures)
    return None


def find_source_file(files: SourceFiles, row: Row) -> FoundFile:
    """The file of a row.

    Args:
        files: of the corpus.
        row: its source names the file.

    Raises:
        CorpusError: the file cannot be used, or the row has a column that ``s2s prepare`` adds; names file and line.
    """
    if files.digest_column in row.columns:
        raise CorpusError(f"the column {files.digest_column!r} is one that `s2s prepare` adds; rename it in the file", row.file)
    try:
        return files.find(row.source)
    except SourceFileError as error:
        raise CorpusError(f"{quote(row.source)}: {error}", row.file, row.line) from None
