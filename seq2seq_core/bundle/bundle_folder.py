"""The folder of a bundle: plain files of known names and digests, and nothing else; its digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from seq2seq_core.bundle.config_file import CONFIG_FILE, BundleFile
from seq2seq_core.dvc_files import how_to_make
from seq2seq_core.errors import BundleError
from seq2seq_core.tokenization.manifest import file_digest

_RELINK = "`dvc config cache.type reflink,hardlink,copy` and `dvc checkout --relink` replace the links that DVC makes"


def list_files(folder: Path) -> list[str]:
    """The names of a bundle's files, sorted.

    Args:
        folder: the bundle's folder.

    Raises:
        BundleError: there is no such folder, or it holds a link, a subfolder or a special file.
    """
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_file(follow_symlinks=False):
                    raise BundleError(f"{folder}/{_shown(entry.name)}: must be a plain file, got {_kind(entry)}")
                names.append(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(f"{folder}: no such model bundle; {how_to_make(folder, 'train')}") from None
    return sorted(names)


def bundle_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a bundle's files: the bundle's name in every record.

    Args:
        folder: the bundle's folder.

    Raises:
        BundleError: the folder holds no file, or a link, a subfolder or a special file.
    """
    names = list_files(folder)
    if not names:
        raise BundleError(f"{folder}: no such model bundle; {how_to_make(folder, 'train')}")
    digest = hashlib.sha256()
    for name in names:
        digest.update(os.fsencode(name) + f"\0{file_digest(folder / name)}\n".encode())
    return digest.hexdigest()


def check_names(folder: Path, content: BundleFile) -> None:
    """Checks that a bundle holds the files that its ``config.json`` names, and no other.

    Args:
        folder: the bundle's folder.
        content: the content of its ``config.json``.

    Raises:
        BundleError: a file is missing or surplus, or is a link, a subfolder or a special file.
    """
    expected, found = (CONFIG_FILE, *content.payload), list_files(folder)
    if missing := [name for name in expected if name not in found]:
        raise BundleError(f"{folder / missing[0]}: no such file; a bundle holds {_listed(expected)}")
    if surplus := [name for name in found if name not in expected]:
        raise BundleError(f"{folder}/{_shown(surplus[0])}: does not belong here; a bundle holds {_listed(expected)}")


def check_files(folder: Path, content: BundleFile) -> None:
    """Checks a bundle's files against the names and digests in its ``config.json``.

    Args:
        folder: the bundle's folder.
        content: the content of its ``config.json``.

    Raises:
        BundleError: a file is missing or surplus, is no plain file, or has another digest.
    """
    check_names(folder, content)
    for name, expected in content.digests.items():
        if (found := file_digest(folder / name)) != expected:
            raise BundleError(f"{folder / name}: damaged or exchanged: its SHA-256 is {found}, expected {expected}")


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return f"a symbolic link; {_RELINK}"
    return "a folder" if entry.is_dir(follow_symlinks=False) else "a special file"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _shown(name: str) -> str:
    """A name that can be printed: bytes that are no text are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
