"""The two signatures of a logged model: of its bundle, and of all that runs it. Both are files beside the bundle."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_core.bundle.model_seal import BUNDLE_PATH, BYTECODE_FOLDER, CODE_PATH, LOADER_FILE
from seq2seq_core.bundle.signature import SIGNING, SUFFIX, sign_folder, verify_folder
from seq2seq_core.errors import BundleError

BUNDLE_SIGNATURE, MODEL_SIGNATURE = f"{BUNDLE_PATH}{SUFFIX}", f"artifacts/model{SUFFIX}"
"""The places of the signatures inside a logged model."""
_RUN_BY_MLFLOW = ("MLmodel", LOADER_FILE, "requirements.txt", "python_env.yaml", "conda.yaml")


def sign_model(model: Path, room: Path, key: Path) -> None:
    """Writes both signatures of a logged model to another folder, at their places.

    Args:
        model: the model's folder.
        room: the other folder.
        key: the private key.

    Raises:
        UserError: the key cannot be read, or the package is missing.
    """
    (room / BUNDLE_SIGNATURE).parent.mkdir(parents=True)
    sign_folder(model / BUNDLE_PATH, room / BUNDLE_SIGNATURE, key)
    with _staged(model) as staged:
        sign_folder(staged, room / MODEL_SIGNATURE, key)


def verify_model(model: Path, key: Path, label: str) -> None:
    """Checks both signatures of a logged model.

    Args:
        model: the model's folder.
        key: the public key.
        label: the model's name, for messages.

    Raises:
        BundleError: a signature is missing or does not hold.
        UserError: the key cannot be read, or the package is missing.
    """
    for name in (BUNDLE_SIGNATURE, MODEL_SIGNATURE):
        if not (model / name).is_file():
            raise unsigned(label, key)
    verify_folder(model / BUNDLE_PATH, model / BUNDLE_SIGNATURE, key, label)
    with _staged(model) as staged:
        verify_folder(staged, model / MODEL_SIGNATURE, key, label)


def unsigned(label: str, key: Path) -> BundleError:
    """The error about a logged model without a signature.

    Args:
        label: the model's name.
        key: the public key.
    """
    return BundleError(
        f"{label}: is not signed, and {SIGNING}.public_key_file ({key}) asks for a signature; `s2s sign` signs a version "
        "with the private key"
    )


@contextmanager
def _staged(model: Path) -> Iterator[Path]:
    """A folder with all that runs a logged model, beside its bundle."""
    with tempfile.TemporaryDirectory() as room:
        staged = Path(room) / "model"
        ignored = shutil.ignore_patterns(BYTECODE_FOLDER)
        shutil.copytree(model / CODE_PATH, staged / CODE_PATH, ignore=ignored, symlinks=True)
        for name in _RUN_BY_MLFLOW:
            if (model / name).is_file():
                shutil.copy(model / name, staged / name, follow_symlinks=False)
        yield staged
