"""Earlier contents in DVC's cache, found by the digests in ``dvc.lock``."""

from __future__ import annotations

import configparser
import json
from contextlib import suppress
from pathlib import Path


def dvc_folder(workspace: Path) -> Path:
    """The folder ``.dvc`` of the repository that contains the workspace.

    Args:
        workspace: a folder in the DVC repository.
    """
    for folder in (workspace, *workspace.parents):
        if (folder / ".dvc").is_dir():
            return folder / ".dvc"
    return workspace / ".dvc"


def cache_folder(dvc: Path) -> Path:
    """The cache that the repository's own configuration names, or DVC's default.

    Args:
        dvc: the folder ``.dvc``, where relative names start.
    """
    return dvc / _read_config(dvc).get("cache", "dir", fallback="cache").strip("\"' ")


def read_remotes(dvc: Path) -> dict[str, str]:
    """The addresses of the repository's remotes, by name.

    Args:
        dvc: the folder ``.dvc``.
    """
    config = _read_config(dvc)
    sections = {name: name.strip("'\"").removeprefix("remote ").strip("'\" ") for name in config.sections() if "remote " in name}
    return {remote: config.get(name, "url", fallback="").strip("\"' ") for name, remote in sections.items()}


def _read_config(dvc: Path) -> configparser.ConfigParser:
    config = configparser.ConfigParser(interpolation=None, strict=False)
    with suppress(configparser.Error, UnicodeDecodeError):  # DVC itself says what is wrong with it
        config.read([dvc / "config", dvc / "config.local"], encoding="utf-8")
    return config


def cached_file(workspace: Path, digest: str) -> Path:
    """The place of a file, or of a folder's listing, in DVC's cache; it may be missing.

    Args:
        workspace: a folder in the DVC repository.
        digest: MD5 as in ``dvc.lock``; that of a folder ends in ``.dir``.
    """
    return cache_folder(dvc_folder(workspace)) / "files" / "md5" / digest[:2] / digest[2:]


def read_cached(workspace: Path, digest: str) -> bytes | None:
    """A file's content, or a folder's listing, in DVC's cache; None: it is not there.

    Args:
        workspace: a folder in the DVC repository.
        digest: MD5 as in ``dvc.lock``; that of a folder ends in ``.dir``.
    """
    if len(digest) < 3 or "/" in digest:
        return None
    try:
        return cached_file(workspace, digest).read_bytes()
    except OSError:
        return None


def read_cached_listing(workspace: Path, digest: str) -> dict[str, str] | None:
    """The MD5 of each file of a folder, by its name in it; None: DVC's cache does not have it.

    Args:
        workspace: a folder in the DVC repository.
        digest: of the folder, as in ``dvc.lock``.
    """
    content = read_cached(workspace, digest)
    try:
        return None if content is None else {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(content)}
    except (ValueError, KeyError, TypeError):
        return None
