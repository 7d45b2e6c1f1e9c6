"""Training states in a folder that all machines reach: a training that moves to another worker goes on where it was.

FOLDER/<training>/<sha256>        a file's content
FOLDER/<training>/manifest.json   the names and digests of the state's files; written last

A reader goes by the manifest alone, so that it finds a whole state or none; it checks every digest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_core import atomic
from seq2seq_core.training.state.folder_lock import LOCK_FILE, lock_folder

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

MANIFEST = "manifest.json"
TENSORS = ".safetensors"
CHECKPOINTS, FINISHED = "checkpoint-*.json", "finished.json"
"""Files of a state that say how far it is; they name the others, and are the last to be written (``training/state``)."""


class DamagedState(Exception):
    """A stored state that does not fit its digests."""


@dataclass(frozen=True)
class StateStore:
    """Training states in one folder of a store.

    Attributes:
        filesystem: reaches the store.
        folder: the folder's path on it.
    """

    filesystem: AbstractFileSystem
    folder: str

    def names(self) -> list[str]:
        """The trainings that have a state here."""
        try:
            entries = self.filesystem.ls(self.folder, detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(entry).rstrip("/").rpartition("/")[2] for entry in entries)

    def push(self, state: Path) -> int:
        """Stores a training's state as it is now; returns the number of bytes that were sent.

        The trainer may write meanwhile: files that name others are read last, and one that is gone is left out.

        Args:
            state: the folder of the state on this machine, whose name is the training's.
        """
        place = f"{self.folder}/{state.name}"
        before = self._read_manifest(place)
        known = {str(entry["sha256"]) for entry in before.values()}
        manifest, sent = {}, 0
        for path in _files(state):
            try:
                digest, size = self._send(path, place, known)
            except FileNotFoundError:
                continue
            manifest[path.name] = {"sha256": digest}
            sent += size
        if manifest != before and any(path in manifest for path in _heads(manifest)):
            self._write_manifest(place, manifest)
            for digest in known - {entry["sha256"] for entry in manifest.values()}:
                self.filesystem.rm_file(f"{place}/{digest}")
        return sent

    def fetch(self, training: str, states: Path) -> bool:
        """Brings a training's state to this machine if the one here is behind it; returns whether it did.

        Args:
            training: its name.
            states: the folder of all states on this machine.

        Raises:
            DamagedState: a stored file does not fit its digest; the state here stays as it is.
            WorkspaceBusy: another process trains it here.
        """
        place, here = f"{self.folder}/{training}", states / training
        manifest = self._read_manifest(place)
        present = [path.name for path in here.glob("*.json")]
        if not manifest or _progress(manifest) <= _progress(present):
            return False
        with lock_folder(here):
            drafts = {name: self._receive(place, entry["sha256"], here / name) for name, entry in manifest.items()}
            for path in _files(here):
                path.unlink()
            # In the order of the manifest: the files that name others come last.
            for name, draft in drafts.items():
                draft.replace(here / name)
        return True

    def remove(self, training: str) -> None:
        """Removes a training's state from the store.

        Args:
            training: its name.
        """
        place = f"{self.folder}/{training}"
        if self.filesystem.exists(place):
            self.filesystem.rm(place, recursive=True)

    def _send(self, path: Path, place: str, known: set[str]) -> tuple[str, int]:
        """Stores a file under its digest, unless it is there; returns the digest and the number of bytes sent."""
        if path.suffix == TENSORS:  # large, and written once
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest in known:
                return digest, 0
            self.filesystem.makedirs(place, exist_ok=True)
            self.filesystem.put_file(str(path), f"{place}/{digest}")
            return digest, path.stat().st_size
        content = path.read_bytes()  # at once: the curves grow
        digest = hashlib.sha256(content).hexdigest()
        if digest in known:
            return digest, 0
        self.filesystem.makedirs(place, exist_ok=True)
        self.filesystem.pipe_file(f"{place}/{digest}", content)
        return digest, len(content)

    def _receive(self, place: str, digest: str, path: Path) -> Path:
        """A draft of a file, fetched and checked."""
        draft = atomic.draft_of(path)
        self.filesystem.get_file(f"{place}/{digest}", str(draft))
        with draft.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                draft.unlink()
                raise DamagedState(f"{place}: the digest of {path.name} does not fit its content")
        return draft

    def _read_manifest(self, place: str) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self.filesystem.cat_file(f"{place}/{MANIFEST}"))
        except (FileNotFoundError, ValueError):
            return {}
        files = content.get("files") if isinstance(content, dict) else None
        is_whole = isinstance(files, dict) and all("/" not in name and "sha256" in entry for name, entry in files.items())
        return files if is_whole and isinstance(files, dict) else {}

    def _write_manifest(self, place: str, manifest: dict[str, dict[str, Any]]) -> None:
        """Writes the manifest as a whole; an object store replaces an object at once, a file system renames a draft."""
        content = json.dumps({"files": manifest}, indent=1).encode()
        if "file" in _protocols(self.filesystem):
            with atomic.new_file(Path(f"{place}/{MANIFEST}")) as draft:
                draft.write_bytes(content)
        else:
            self.filesystem.pipe_file(f"{place}/{MANIFEST}", content)


def _protocols(filesystem: AbstractFileSystem) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _files(state: Path) -> list[Path]:
    """The files of a state, those that name others last; without the lock and the drafts."""
    files = [path for path in state.iterdir() if path.is_file() and path.name != LOCK_FILE and not path.name.startswith(".")]
    heads = _heads([path.name for path in files])
    return sorted(files, key=lambda path: (path.name in heads, path.name))


def _heads(names: Any) -> list[str]:
    """Those of some names that say how far a state is, the furthest last."""
    return sorted(name for name in names if Path(name).match(CHECKPOINTS) or name == FINISHED)


def _progress(names: Any) -> str:
    """How far a state is; empty where there is none. Texts of this kind compare as the states do."""
    return max(_heads(names), default="")
