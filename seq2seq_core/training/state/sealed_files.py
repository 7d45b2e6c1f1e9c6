"""Files that are complete or absent, with digests that show damage: atomic rename, SHA-256, no pickle."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import safetensors.torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from seq2seq_core.reproducibility import digest
from seq2seq_core.training.state.full_disk import explain_full_disk


class FileSeal(BaseModel):
    """A file of the state and its expected digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[\w-]+\.safetensors$")
    """Its name in the folder."""
    sha256: str
    """Digest of its content."""


def write_file(folder: Path, name: str, content: bytes) -> None:
    """Stores a file atomically: it is complete or absent, even after a power failure.

    Raises:
        StorageFault: the disk is full; no part of the file is left.
    """
    draft = folder / f".{name}.draft"
    with explain_full_disk(folder, name, len(content)):
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        draft.replace(folder / name)
        _sync_folder(folder)


def write_tensors(folder: Path, name: str, tensors: dict[str, Tensor]) -> FileSeal:
    """Stores tensors (in main memory, contiguous) in a file; returns its seal."""
    content = safetensors.torch.save(tensors)
    write_file(folder, name, content)
    return FileSeal(name=name, sha256=hashlib.sha256(content).hexdigest())


def read_tensors(folder: Path, seal: FileSeal) -> dict[str, Tensor]:
    """The tensors of a file; ValueError if its digest does not match."""
    content = (folder / seal.name).read_bytes()
    if hashlib.sha256(content).hexdigest() != seal.sha256:
        raise ValueError(f"the digest of {seal.name} does not fit its content")
    return safetensors.torch.load(content)


def write_sealed(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Stores values of JSON's types together with their own digest."""
    write_file(folder, name, json.dumps({"checkpoint": content, "sha256": digest(content)}, indent=1).encode() + b"\n")


def read_sealed(folder: Path, name: str) -> dict[str, Any]:
    """The content that :func:`write_sealed` stored; ValueError if it is damaged."""
    try:
        sealed = json.loads((folder / name).read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("nested too deep") from None
    content = sealed.get("checkpoint") if isinstance(sealed, dict) else None
    if not isinstance(content, dict) or sealed.get("sha256") != digest(content):
        raise ValueError("its digest does not fit its content")
    return content


def remove_drafts(folder: Path) -> None:
    """Removes the incomplete files of killed processes."""
    for draft in folder.glob(".*.draft"):
        draft.unlink()


def _sync_folder(folder: Path) -> None:
    """Flushes the names in a folder to the disk, before the caller removes what they replace."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
