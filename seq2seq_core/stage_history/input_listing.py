"""The files that a stage reads, with DVC's digests, and what is kept of them: digests of their rows.

A folder's digest is the one in ``dvc.lock``, so that what is kept is found through either door.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.stage_history.dvc_cache import read_cached_listing
from seq2seq_core.stage_history.row_blocks import BLOCKS, has_rows, read_blocks

logger = logging.getLogger(__name__)
STATES_FILE = "states.json"
MOST_LISTINGS = 8
"""Listings that are kept of one place, the newest."""
IGNORED = {".git", ".dvc", ".hg", "__pycache__", ".DS_Store"}
IGNORED_ENDINGS = (".draft", ".old", ".tmp", ".pyc")


@dataclass(frozen=True)
class InputListing:
    """The files of an input.

    Attributes:
        digest: DVC's of the whole; of a folder it ends in ``.dir``.
        files: MD5 of each file, by its name in the folder; of a single file the name is empty.
    """

    digest: str
    files: Mapping[str, str]


class FileStates:
    """MD5s of files, which are read again only where size, time or place on the disk differ.

    Args:
        paths: the workspace; reads ``.s2s/inputs``.
    """

    def __init__(self, paths: Paths) -> None:
        self.file = paths.kept_inputs / STATES_FILE
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        self.known: dict[str, list[Any]] = found if isinstance(found, dict) else {}
        self._is_new = False

    def md5(self, path: Path) -> str:
        """The MD5 of a file.

        Args:
            path: of the file.
        """
        state = path.stat()
        mark = [state.st_size, state.st_mtime_ns, state.st_ino]
        kept = self.known.get(str(path))
        if kept is not None and kept[:3] == mark:
            return str(kept[3])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        self.known[str(path)], self._is_new = [*mark, digest], True
        return digest

    def save(self) -> None:
        """Writes what is known of files that are still there, if something is new."""
        if not self._is_new:
            return
        there = {name: state for name, state in self.known.items() if Path(name).is_file()}
        atomic.write_text(self.file, json.dumps(there))


def list_input(path: Path, states: FileStates) -> InputListing | None:
    """The listing of a file or folder; None: it is not there.

    Args:
        path: the input.
        states: known digests.
    """
    if path.is_file():
        digest = states.md5(path)
        return InputListing(digest, {"": digest})
    if not path.is_dir():
        return None
    files = {file.relative_to(path).as_posix(): states.md5(file) for file in sorted(_walk(path))}
    # DVC's formula for the digest of a folder (dvc-data, HashFile trees): the MD5 of its listing.
    entries = [{"md5": digest, "relpath": name} for name, digest in sorted(files.items(), key=lambda one: one[0].split("/"))]
    content = json.dumps(entries, sort_keys=True).encode()
    return InputListing(f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}.dir", files)


def _walk(folder: Path) -> Iterable[Path]:
    """The files of a folder that DVC would see with the template's ``.dvcignore``."""
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if name not in IGNORED)
        for name in names:
            if name not in IGNORED and not name.endswith(IGNORED_ENDINGS) and (file := Path(root) / name).is_file():
                yield file


def keep_inputs(inputs: Iterable[str], paths: Paths, home: Paths) -> None:
    """Keeps the listings of inputs and the digests of their rows; a full disk is only a warning.

    Args:
        inputs: files and folders, relative to the workspace.
        paths: the workspace that holds them.
        home: the workspace that keeps the records; writes ``.s2s/inputs``.
    """
    folder, states = home.kept_inputs, FileStates(home)
    try:
        for name in inputs:
            listing = list_input(paths.root / name, states)
            if listing is None:
                continue
            for inner, md5 in listing.files.items():
                _keep_rows(paths.root / name / inner if inner else paths.root / name, folder / f"{md5}.rows")
            content = json.dumps({"input": name, "files": dict(listing.files)}, ensure_ascii=False)
            atomic.write_text(folder / f"{listing.digest}.json", content)
        states.save()
        _prune(folder)
    except (OSError, EOFError, zlib.error) as error:
        logger.warning("%s: a later run cannot name the rows that have changed: %s", folder, error)


def _keep_rows(file: Path, place: Path) -> None:
    if has_rows(file.name) and not place.is_file():
        atomic.write_quickly(place, read_blocks(file).tobytes())


def _prune(folder: Path) -> None:
    """Removes all but the newest listings of each input, and rows that none of them names."""
    kept: dict[str, int] = {}
    named: set[str] = set()
    listings = [file for file in folder.glob("*.json") if file.name != STATES_FILE]
    for file in sorted(listings, key=lambda one: one.stat().st_mtime, reverse=True):
        content = json.loads(file.read_text(encoding="utf-8"))
        kept[content["input"]] = kept.get(content["input"], 0) + 1
        if kept[content["input"]] > MOST_LISTINGS:
            file.unlink()
        else:
            named |= {*content["files"].values()}
    for file in folder.glob("*.rows"):
        if file.stem not in named:
            file.unlink()


def find_listing(digest: str, paths: Paths) -> InputListing | None:
    """The listing of an input as it was; None: it is kept nowhere.

    Args:
        digest: as in ``dvc.lock``.
        paths: the workspace; reads ``.s2s/inputs``, then DVC's cache.
    """
    try:
        files = json.loads((paths.kept_inputs / f"{digest}.json").read_text(encoding="utf-8"))["files"]
        return InputListing(digest, {str(name): str(md5) for name, md5 in files.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    if not digest.endswith(".dir"):
        return InputListing(digest, {"": digest})
    files = read_cached_listing(paths.root, digest)
    return None if files is None else InputListing(digest, files)


def find_rows(md5: str, paths: Paths) -> NDArray[Any] | None:
    """The blocks of rows of a file as it was; None: they are not kept.

    Args:
        md5: of the file.
        paths: the workspace; reads ``.s2s/inputs``.
    """
    try:
        return np.frombuffer((paths.kept_inputs / f"{md5}.rows").read_bytes(), BLOCKS)
    except (OSError, ValueError):
        return None
