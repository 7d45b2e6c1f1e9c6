"""The seal of a logged model: the digests of its bundle and of the code that runs it, which are checked before it answers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from seq2seq_core.bundle.bundle_folder import bundle_digest, check_files
from seq2seq_core.bundle.config_file import CONFIG_FILE, read_config
from seq2seq_core.errors import BundleError
from seq2seq_core.tokenization.manifest import file_digest

BUNDLE_PATH, CODE_PATH, LOADER_FILE = "artifacts/bundle", "code", "pyfunc_model.py"
"""The places, inside a logged model, of its bundle, of the package that runs it, and of the file that loads it."""
BUNDLE_SEAL, CODE_SEAL = "bundle_digest", "code_digest"
"""The names of the two digests, in the metadata of a logged model and among its tags."""
BYTECODE_FOLDER = "__pycache__"
"""Python's own copies of the code; a server of ours does not read them."""
WAY_OUT = (
    "restore the version's files from a backup, give the alias to another version (`s2s promote`, `s2s rollback`), "
    "or make a new one (`s2s retrain`)"
)
"""What to do about a version whose files were changed or lost."""


def code_digest(model: Path) -> str:
    """SHA-256 over the names and contents of the code of a logged model.

    Args:
        model: the model's folder.

    Raises:
        BundleError: there is no code, or it holds a link or a special file.
    """
    digest, names = hashlib.sha256(), sorted(_code_files(model))
    for name in names:
        digest.update(os.fsencode(name) + f"\0{file_digest(model / name)}\n".encode())
    return digest.hexdigest()


def check_seal(model: Path, expected: Mapping[str, object], label: str) -> None:
    """Compares the files of a logged model with the digests of its registration.

    Args:
        model: the model's folder.
        expected: the digests by name; one that is missing is not compared, because an earlier release registered the model.
        label: the model's name, for messages.

    Raises:
        BundleError: a digest differs, or the files are not there.
    """
    for name, noun, place in ((BUNDLE_SEAL, "bundle", BUNDLE_PATH), (CODE_SEAL, "code", CODE_PATH)):
        if name not in expected:
            continue
        if not (model / place).is_dir():
            raise BundleError(f"{label}: its {noun} ({place}) is missing; {WAY_OUT}")
        found = bundle_digest(model / place) if name == BUNDLE_SEAL else code_digest(model)
        if found != expected[name]:
            digests = f"its digest is {found}, expected {expected[name]}"
            changed = f" ({find_change(model / place)})" if name == BUNDLE_SEAL else ""
            raise BundleError(f"{label}: its {noun} ({place}) is not the one that was registered: {digests}{changed}; {WAY_OUT}")


def find_change(bundle: Path) -> str:
    """Which file of a bundle is not the one that was registered, for messages.

    Its ``config.json`` has the digests of the others, so that it has changed itself where it agrees with them.

    Args:
        bundle: the bundle's folder, whose digest is not the expected one.
    """
    try:
        check_files(bundle, read_config(bundle))
    except BundleError as error:
        return str(error).removeprefix(f"{bundle}/")
    return f"{CONFIG_FILE}: has changed"


def _code_files(model: Path) -> Iterator[str]:
    """The names of the files that run a model, relative to its folder."""
    folders = [model / CODE_PATH]
    if not folders[0].is_dir() or not (model / LOADER_FILE).is_file():
        raise BundleError(f"{model}: no code of a logged model; expected {CODE_PATH} and {LOADER_FILE}")
    if (model / LOADER_FILE).is_symlink():
        raise BundleError(f"{model / LOADER_FILE}: must be a plain file, got a symbolic link")
    yield LOADER_FILE
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    folders += [] if entry.name == BYTECODE_FOLDER else [path]
                elif entry.is_file(follow_symlinks=False):
                    yield path.relative_to(model).as_posix()
                else:
                    raise BundleError(f"{path}: must be a plain file, got a link or a special file")
