"""The files of a corpus folder, each with its kind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from seq2seq_core.corpus.lines import CorpusFile

FileKind = Literal["text", "parquet", "recording", "picture", "other"]
"""Kind by file ending; ``text`` is any file that may hold lines."""

MAX_DEPTH, MAX_FILES = 4, 200_000
"""Most levels of folders, and most files, that a survey looks at."""
RECORDING_ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".wma")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
OTHER_ENDINGS = (
    ".zip", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".xls", ".xlsx", ".ods", ".doc", ".docx", ".pdf", ".html", ".htm",
    ".xml", ".tmx", ".xlf", ".xliff", ".xlsm", ".zstd",
    ".md", ".rst", ".dvc", ".py", ".sh", ".ipynb", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".log", ".npy", ".npz", ".pt",
    ".bin", ".arrow", ".feather", ".db", ".sqlite",
)  # fmt: skip
PROSE = ("readme", "license", "licence", "copying", "changelog", "citation", "notice", "authors")
"""Beginnings of the names of files about a corpus."""


@dataclass(frozen=True)
class FolderFile:
    """A file of a corpus folder.

    Attributes:
        path: its location on disk.
        name: its name inside the corpus folder, with forward slashes.
        kind: its kind, by its ending.
    """

    path: Path
    name: str
    kind: FileKind

    @property
    def ending(self) -> str:
        """Its ending in lower case, without ``.gz``."""
        return ending_of(self.name)

    def as_corpus_file(self) -> CorpusFile:
        """The file as the corpus reader knows it."""
        return CorpusFile(self.path, self.name, str(self.path))


def ending_of(name: str) -> str:
    """The last ending of a file name in lower case, without ``.gz``."""
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix


def list_files(folder: Path) -> list[FolderFile]:
    """The files of a folder and of the folders inside it, in order of their names; hidden ones are left out.

    Args:
        folder: the corpus folder.
    """
    found = []
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        found.append(FolderFile(path, name, _kind_of(name)))
        if len(found) == MAX_FILES:
            break
    return sorted(found, key=lambda file: file.name)


def describe_files(files: Sequence[FolderFile], most: int = 12) -> str:
    """The files in a few words: names of what may hold pairs, and numbers of recordings and pictures.

    Args:
        files: the files of a folder.
        most: most names.
    """
    counts = Counter(file.kind for file in files)
    named = [file.name for file in files if file.kind not in ("recording", "picture")]
    parts = [*named[:most], *([f"{len(named) - most} more"] if len(named) > most else [])]
    parts += [f"{counts[kind]:,} {kind}s" for kind in ("recording", "picture") if counts[kind]]
    return ", ".join(parts) or "nothing"


def _walk(folder: Path) -> Iterator[Path]:
    """Every file, folder by folder."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        depth = len(Path(parent).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < MAX_DEPTH - 1 else []
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _kind_of(name: str) -> FileKind:
    ending = ending_of(name)
    if ending == ".parquet":
        return "parquet"
    if ending in RECORDING_ENDINGS:
        return "recording"
    if ending in PICTURE_ENDINGS:
        return "picture"
    is_prose = PurePosixPath(name).name.lower().startswith(PROSE)
    return "other" if ending in OTHER_ENDINGS or is_prose else "text"
