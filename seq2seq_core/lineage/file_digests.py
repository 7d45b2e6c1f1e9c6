"""Digests of files and folders: SHA-256 of each file, and one over all of a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.tokenization.manifest import file_digest

WORKERS = 4
"""Files that are read at once; the hash is computed without Python's lock."""


@dataclass(frozen=True)
class FileDigest:
    """A file.

    Attributes:
        sha256: of its bytes.
        size: in bytes.
    """

    sha256: str
    size: int


@dataclass(frozen=True)
class Digests:
    """A file or folder.

    Attributes:
        files: each file by its path inside the folder; a single file by its name.
    """

    files: dict[str, FileDigest]

    @property
    def sha256(self) -> str:
        """SHA-256 over the names and digests of the files."""
        lines = (f"{name}\0{file.sha256}\n" for name, file in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files.values())

    def summary(self) -> dict[str, object]:
        """Digest, size and number of files, as JSON."""
        return {"sha256": self.sha256, "size": self.size, "files": len(self.files)}


def digest_path(place: Path) -> Digests | None:
    """The digests of a file or of all files of a folder; None where there is neither.

    Hidden files are left out: no stage reads them, and programs leave such.

    Args:
        place: the file or folder.
    """
    if place.is_file():
        return Digests({place.name: _digest(place)})
    if not place.is_dir():
        return None
    found = {file.relative_to(place).as_posix(): file for file in iterate_files(place)}
    with ThreadPoolExecutor(WORKERS) as pool:
        return Digests(dict(zip(found, pool.map(_digest, found.values()), strict=True)))


def iterate_files(folder: Path) -> Iterator[Path]:
    """The files of a folder in order of their names, hidden ones left out.

    Args:
        folder: must exist.
    """
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder).parts
        if file.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in inside):
            yield file


def _digest(file: Path) -> FileDigest:
    return FileDigest(file_digest(file), file.stat().st_size)
