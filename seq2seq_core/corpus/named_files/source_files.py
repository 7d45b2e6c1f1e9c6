"""The files that a side of a corpus names: recordings or pictures, their checks, and digests that tell equal ones."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.config.section import Side
from seq2seq_core.corpus.file_faults.text_faults import quote
from seq2seq_core.corpus.formats import Row
from seq2seq_core.corpus.pairs import RECORDING
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
        side: the side of a row that names its file.
        noun: what the files are, for contracts and messages: ``recordings`` or ``pictures``.
        digest_column: the column of prepared pairs with their digests.
        prepared_folder: the folder of the prepared corpus that receives them.
    """

    side: Side = "source"
    noun: str
    digest_column: str
    prepared_folder: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def find(self, name: str) -> FoundFile:
        """The digest of a file.

        Args:
            name: of :meth:`name_in`.

        Raises:
            SourceFileError: the name leads out of the folder, or the file cannot be used.
        """

    def name_in(self, row: Row) -> str:
        """The name of a row's file.

        Args:
            row: of the corpus.
        """
        return row.source if self.side == "source" else row.target

    def locate(self, row: Row, error: SourceFileError) -> str:
        """The fault of a row's file, for a message that begins with the row's source.

        Args:
            row: the row.
            error: what :meth:`find` has raised.
        """
        return str(error) if self.side == "source" else f"{quote(row.target)}: {error}"

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
            name: of :meth:`name_in`.

        Raises:
            SourceFileError: the name leads out of the folder.
        """
        place = PurePosixPath(name)
        if not name.strip() or "\0" in name or place.is_absolute() or ".." in place.parts:
            raise SourceFileError("expected the name of a file inside the corpus folder (corpus.path)")
        return self.folder / place


def open_source_files(corpus: CorpusSection, root: Path) -> SourceFiles | None:
    """The files that a side of a corpus names; None if both sides are texts.

    Args:
        corpus: reads ``source_kind``, ``target_kind``, ``path``, and the settings of its kind.
        root: the workspace; a relative corpus path starts here.

    Raises:
        CorpusError: there is no corpus folder.
    """
    if corpus.target_kind == "audio":
        from seq2seq_core.corpus.named_files.spoken_targets import SpokenTargets

        return SpokenTargets(find_folder(corpus, root), corpus.sample_rate, corpus.resample)
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
        row: one of its sides names the file.

    Raises:
        CorpusError: the file cannot be used, or the row has a column that ``s2s prepare`` adds; names file and line.
    """
    taken = (files.digest_column,) if files.side == "source" else (RECORDING, files.digest_column)
    if names := [name for name in taken if name in row.columns]:
        raise CorpusError(f"the column {names[0]!r} is one that `s2s prepare` adds; rename it in the file", row.file)
    try:
        return files.find(files.name_in(row))
    except SourceFileError as error:
        raise CorpusError(f"{quote(files.name_in(row))}: {error}", row.file, row.line) from None
