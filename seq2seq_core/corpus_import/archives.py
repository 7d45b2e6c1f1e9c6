"""Archives, unpacked within a limit: nothing leaves the folder, no link is made, no claim is believed."""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from seq2seq_core.corpus_import.size_limit import LimitedStream, SizeLimit
from seq2seq_core.errors import CorpusError, first_line, library_errors

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
LONGEST_NAME, LONGEST_PART = 1000, 200
"""Most characters of a name with its folders, and most bytes of one part of it: files beside it have longer names."""


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        name: its name there.
        size: the bytes that the archive claims for it.
        open: opens its bytes.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def is_archive(name: str) -> bool:
    """Whether a name is that of an archive of several files; a single compressed file is none.

    Args:
        name: a file's name.
    """
    return name.lower().endswith(ARCHIVE_ENDINGS)


def unpack(archive: Path, folder: Path, limit: SizeLimit, wanted: Callable[[str], bool] = lambda _: True) -> list[str]:
    """The names of the files that were unpacked from a ZIP or TAR archive. Hidden files are left out.

    Args:
        archive: the archive.
        folder: receives the files, under their names.
        limit: bounds bytes and files; first by the archive's claims, then by what really comes.
        wanted: whether a file is to be unpacked, by its name.

    Raises:
        CorpusError: the archive is damaged or encrypted, or holds a link, a device, or a name that leads out of the folder.
        UserError: the limit is reached.
    """
    names: list[str] = []
    with _members(archive, limit) as members:
        kept = [member for member in members if not _is_hidden(name := check_name(member.name, archive)) and wanted(name)]
        for member in kept:
            place = folder / check_name(member.name, archive)
            if place.exists() or any((folder / above).is_file() for above in PurePosixPath(place.relative_to(folder)).parents):
                raise CorpusError(f"holds {member.name!r}, a name that is taken; expected each name once", archive)
            place.parent.mkdir(parents=True, exist_ok=True)
            with closing(member.open()) as stream, place.open("xb") as file:
                shutil.copyfileobj(LimitedStream(cast("BinaryIO", stream), limit, archive.name), file, 1 << 20)
            names.append(place.relative_to(folder).as_posix())
    return names


def check_name(name: str, archive: Path) -> str:
    """A file's name if it stays within the folder.

    Args:
        name: as the archive has it.
        archive: the archive, for the message.

    Raises:
        CorpusError: it does not.
    """
    parts = PurePosixPath(name).parts
    is_within = parts and ".." not in parts and not name.startswith("/") and "\\" not in name and ":" not in parts[0]
    is_plain = not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", name)
    if not (is_within and is_plain and len(name) <= LONGEST_NAME and all(len(part.encode()) <= LONGEST_PART for part in parts)):
        raise CorpusError(f"holds the name {name[:80]!r}; expected names of files within a folder", archive)
    return "/".join(parts)


@contextmanager
def _members(archive: Path, limit: SizeLimit) -> Iterator[list[Member]]:
    """The files of an archive while it is open; what they claim to hold fits into the limit."""
    with library_errors(lambda error: _damaged(archive, error), zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError):
        if archive.name.lower().endswith(".zip") or zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                found = (_zip_member(opened, one, archive) for one in opened.infolist() if not one.is_dir())
                yield _list_within(found, archive, limit)
            return
        with tarfile.open(archive) as tar:
            yield _list_within((_tar_member(tar, one, archive) for one in tar if not one.isdir()), archive, limit)


def _list_within(found: Iterable[Member], archive: Path, limit: SizeLimit) -> list[Member]:
    """The files; stops at the first claim that is too much, because listing a compressed TAR archive decompresses it."""
    members, claimed = [], 0
    for member in found:
        claimed += member.size
        limit.take_files(1, archive.name)
        limit.check(claimed, archive.name)
        members.append(member)
    return members


def _damaged(archive: Path, error: Exception) -> CorpusError:
    return CorpusError(f"cannot be unpacked ({first_line(error)}); expected a whole ZIP or TAR archive without a password", archive)


def _zip_member(opened: zipfile.ZipFile, one: zipfile.ZipInfo, archive: Path) -> Member:
    mode = one.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise CorpusError(f"holds {one.filename!r}, a link or a device; expected files", archive)
    return Member(one.filename, one.file_size, lambda: opened.open(one))


def _tar_member(tar: tarfile.TarFile, one: tarfile.TarInfo, archive: Path) -> Member:
    if not one.isfile():
        raise CorpusError(f"holds {one.name!r}, a link or a device; expected files", archive)
    return Member(one.name, one.size, lambda: cast("IO[bytes]", tar.extractfile(one)))


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
