"""Signatures of folders by a private key, checked by its public key: offline, by the package model-signing (OpenSSF).

A signature is a file beside the folder, so that signing changes no digest. Settings name the keys, else environment variables.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.settings import read_setting
from seq2seq_core.errors import BundleError, UserError, first_line, library_errors

if TYPE_CHECKING:
    from types import ModuleType

SIGNING = "runtime.signing"
PRIVATE_VARIABLE, PUBLIC_VARIABLE, PASSWORD_VARIABLE = "S2S_PRIVATE_KEY_FILE", "S2S_PUBLIC_KEY_FILE", "S2S_PRIVATE_KEY_PASSWORD"
SUFFIX = ".sig"


def find_private_key(paths: Paths) -> Path | None:
    """The file of the private key that signs; None: nothing is signed.

    Args:
        paths: the workspace; reads ``params.yaml``.

    Raises:
        UserError: there is no such file.
    """
    return _find_key("private_key_file", PRIVATE_VARIABLE, paths)


def find_public_key(paths: Paths) -> Path | None:
    """The file of the public key that each loaded bundle must be signed for; None: none needs to be signed.

    Args:
        paths: the workspace; reads ``params.yaml``.

    Raises:
        UserError: there is no such file.
    """
    return _find_key("public_key_file", PUBLIC_VARIABLE, paths)


def check_trusted(folder: Path, paths: Paths) -> None:
    """Refuses a bundle without a valid signature, if a public key is configured.

    Args:
        folder: the bundle's folder; its signature is beside it, or among those of fetched and registered bundles.
        paths: the workspace.

    Raises:
        BundleError: the bundle is not signed, or not by the private key of the configured one.
        UserError: the public key cannot be read, or the package is missing.
    """
    key = find_public_key(paths)
    if key is None:
        return
    beside = folder.with_name(f"{folder.name}{SUFFIX}")
    signature = beside if beside.is_file() else kept_signature(bundle_digest(folder), paths)
    if not signature.is_file():
        raise BundleError(
            f"{folder}: is not signed, and {SIGNING}.public_key_file ({key}) asks for a signature; expected {beside}, "
            "or a bundle that `s2s register` signed in this workspace"
        )
    verify_folder(folder, signature, key, str(folder))


def kept_signature(digest: str, paths: Paths) -> Path:
    """The file in which a workspace keeps the signature of a bundle.

    Args:
        digest: the bundle's.
        paths: the workspace.
    """
    return paths.fetched_bundles / f"{digest}{SUFFIX}"


def sign_folder(folder: Path, signature: Path, key: Path) -> None:
    """Signs the names and contents of the files of a folder.

    Args:
        folder: the folder.
        signature: the file to write.
        key: the private key, of an elliptic curve, as PEM; ``S2S_PRIVATE_KEY_PASSWORD`` decrypts it.

    Raises:
        UserError: the key cannot be read, or the package is missing.
    """
    password = os.environ.get(PASSWORD_VARIABLE)
    with library_errors(lambda error: UserError(_unusable(key, "private", error))):
        config = _library("signing").Config()
        # The library hands the password on to one that takes bytes only.
        config.use_elliptic_key_signer(private_key=key, password=password.encode() if password else None)
    config.sign(folder, signature)


def verify_folder(folder: Path, signature: Path, key: Path, label: str) -> None:
    """Checks a signature of a folder.

    Args:
        folder: the folder.
        signature: the file that :func:`sign_folder` wrote.
        key: the public key, as PEM.
        label: the name of what was signed, for messages.

    Raises:
        BundleError: the signature is of other files or of another key, or is no signature.
        UserError: the key cannot be read, or the package is missing.
    """
    with library_errors(lambda error: UserError(_unusable(key, "public", error))):
        config = _library("verifying").Config().use_elliptic_key_verifier(public_key=key)
    try:
        config.verify(folder, signature)
    except Exception as error:  # noqa: BLE001 - whatever the library says of a file that is no signature
        reason = first_line(error) or type(error).__name__
        raise BundleError(f"{label}: its signature {signature.name} does not hold for {key}: {reason}") from None


def check_private_key(key: Path) -> None:
    """Checks that a private key can sign.

    Args:
        key: its file.

    Raises:
        UserError: the key cannot be read, or the package is missing.
    """
    with tempfile.TemporaryDirectory() as room:
        (Path(room) / "signed").mkdir()
        (Path(room) / "signed" / "file").touch()
        sign_folder(Path(room) / "signed", Path(room) / "signature", key)


def _find_key(field: str, variable: str, paths: Paths) -> Path | None:
    name = f"{SIGNING}.{field}"
    setting = read_setting(paths.params, name) if paths.params.is_file() else None
    value = setting or os.environ.get(variable, "")
    if not value:
        return None
    key = paths.root / str(value)
    if not key.is_file():
        raise UserError(f"{name if setting else variable}: {key}: no such file; expected a key of an elliptic curve, as PEM")
    return key


def _library(module: str) -> ModuleType:
    """A module of the package that signs."""
    import importlib

    try:
        return importlib.import_module(f"model_signing.{module}")
    except ImportError as error:
        raise UserError(
            f"{SIGNING}: signatures need the package model-signing ({first_line(error)}); "
            "expected an installation with it: pip install 'seq2seq-flows[signing]'"
        ) from None


def _unusable(key: Path, kind: str, error: Exception) -> str:
    expected = "expected one of the curve P-256, P-384 or P-521, as PEM"
    return f"{key}: not a {kind} key that can be used ({first_line(error)}); {expected}"
