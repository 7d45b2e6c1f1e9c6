"""A file with known bytes: where a workspace has it, or in the workspace's DVC cache."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq_core.stage_history.dvc_cache import cached_file
from seq2seq_core.tokenization.manifest import file_digest


def find_cached(place: Path, known: Mapping[str, Any], root: Path) -> Path | None:
    """A file with a recorded digest: the one at its place, or the copy in DVC's cache; None where there is neither.

    Args:
        place: where the workspace had it.
        known: ``sha256``, ``size`` and ``md5`` of its bytes.
        root: the workspace.
    """
    if has_bytes(place, known):
        return place
    md5 = str(known.get("md5") or "")
    cached = cached_file(root, md5)
    return cached if md5 and has_bytes(cached, known) else None


def has_bytes(file: Path, known: Mapping[str, Any]) -> bool:
    """Whether a file has the recorded bytes.

    Args:
        file: may be missing.
        known: ``sha256`` and ``size`` of the bytes.
    """
    return file.is_file() and file.stat().st_size == known["size"] and file_digest(file) == known["sha256"]
