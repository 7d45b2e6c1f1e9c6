"""The logged model of a version as the store holds it: checked against the version's record, signed, and verified."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.model_seal import BUNDLE_PATH, BUNDLE_SEAL, CODE_PATH, CODE_SEAL, LOADER_FILE, WAY_OUT, check_seal
from seq2seq_core.bundle.signature import find_public_key, kept_signature, verify_folder
from seq2seq_core.bundle.signed_model import BUNDLE_SIGNATURE, MODEL_SIGNATURE, sign_model, unsigned, verify_model
from seq2seq_core.errors import BundleError, first_line
from seq2seq_core.registry.versions import DIGEST_TAG, current_champion, find_number, has_files, logged_model_id
from seq2seq_core.tracking.mlflow.store import connect, store_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_FLAVOR = {"loader_module": "mlflow.pyfunc.loaders.code_model", "code": CODE_PATH}
_LOCAL = "file://"

logger = logging.getLogger(__name__)


def label_of(version: ModelVersion) -> str:
    """The name of a version in messages."""
    return f"version {version.version} of {version.name!r}"


def check_stored_model(version: ModelVersion, paths: Paths) -> None:
    """Checks the files of a version in the store: bundle and code against its record and, with a public key, the signatures.

    Args:
        version: the registered version.
        paths: the workspace.

    Raises:
        BundleError: the version has no bundle, or a file of it is not the one that was registered, or is not signed.
        TrackingUnreachable: MLflow does not answer.
    """
    client = connect(paths)
    with store_errors(paths), _open_stored(version, client) as folder:
        _check_record(version, folder, client)
        if (key := find_public_key(paths)) is not None:
            verify_model(folder, key, label_of(version))


@contextmanager
def _open_stored(version: ModelVersion, client: MlflowClient) -> Iterator[Path]:
    """The folder of a version's logged model: the store's own where it is on this machine, else a copy."""
    from mlflow.artifacts import download_artifacts

    place = client.get_model_version_download_uri(version.name, version.version)
    if place.startswith(_LOCAL) and (folder := Path(place.removeprefix(_LOCAL))).is_dir():
        yield folder
        return
    with tempfile.TemporaryDirectory() as room:
        yield Path(download_artifacts(artifact_uri=f"models:/{version.name}/{version.version}", dst_path=room))


def sign_version(version: ModelVersion, paths: Paths, client: MlflowClient, key: Path) -> None:
    """Signs the checked files of a version in the store, unless this is done; keeps the signature of its bundle.

    Args:
        version: the registered version.
        paths: the workspace.
        client: the MLflow client.
        key: the private key.

    Raises:
        BundleError: a file of the version is not the one that was registered, or the public key is that of another one.
        UserError: the key cannot be read.
        TrackingUnreachable: MLflow does not answer.
    """
    model_id = logged_model_id(version)
    if model_id is None:
        raise BundleError(f"{label_of(version)}: was not registered by `s2s register`, which makes the files to sign")
    with store_errors(paths), _open_stored(version, client) as folder, tempfile.TemporaryDirectory() as room:
        _check_record(version, folder, client)
        public, signature = find_public_key(paths), folder / BUNDLE_SIGNATURE
        if not _is_signed(folder, public):
            sign_model(folder, Path(room), key)
            signature = Path(room) / BUNDLE_SIGNATURE
            if public is not None:
                verify_folder(folder / BUNDLE_PATH, signature, public, f"the private key {key}")
            client.log_model_artifacts(model_id, room)
            logger.info("signed %s", label_of(version))
        keep_signature(signature.read_bytes(), version, paths)


def check_champion_signed(name: str, paths: Paths, client: MlflowClient) -> None:
    """Refuses a champion without a signature, if bundles must be signed: no other version could be compared with it.

    Args:
        name: the registered model's name.
        paths: the workspace.
        client: the MLflow client.

    Raises:
        BundleError: the champion has files and no signature.
    """
    key, number = find_public_key(paths), current_champion(client, name)
    champion = find_number(client, name, number) if key is not None and number else None
    if key is None or champion is None or not has_files(client, champion):
        return
    if download_file(champion, BUNDLE_SIGNATURE) is None:
        raise unsigned(label_of(champion), key)


def download_file(version: ModelVersion, path: str) -> bytes | None:
    """The content of a small file of a registered version; None where the version has none of that name.

    Args:
        version: the registered version.
        path: inside the logged model.
    """
    from mlflow.artifacts import download_artifacts, list_artifacts

    place = f"models:/{version.name}/{version.version}"
    names = [entry.path for entry in list_artifacts(artifact_uri=f"{place}/{Path(path).parent}") or ()]
    if Path(path).name not in {Path(name).name for name in names}:
        return None
    with tempfile.TemporaryDirectory() as room:
        return Path(download_artifacts(artifact_uri=f"{place}/{path}", dst_path=room)).read_bytes()


def keep_signature(content: bytes, version: ModelVersion, paths: Paths) -> Path:
    """Keeps the signature of a version's bundle in the workspace; returns its file.

    Args:
        content: the signature.
        version: the registered version.
        paths: the workspace.
    """
    place = kept_signature(version.tags[DIGEST_TAG], paths)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def _is_signed(folder: Path, public: Path | None) -> bool:
    """Whether a logged model has both signatures, for the public key if there is one."""
    if public is None:
        return (folder / BUNDLE_SIGNATURE).is_file() and (folder / MODEL_SIGNATURE).is_file()
    try:
        verify_model(folder, public, str(folder))
    except BundleError:
        return False
    return True


def _check_record(version: ModelVersion, folder: Path, client: MlflowClient) -> None:
    """Compares a model's files with the tags of the version and of its logged model."""
    label, digest = label_of(version), version.tags.get(DIGEST_TAG)
    if digest is None:
        raise BundleError(f"{label} has no tag {DIGEST_TAG!r}: it was not registered by `s2s register` and holds no bundle")
    model_id = logged_model_id(version)
    tags = client.get_logged_model(model_id).tags if model_id else {}
    expected = {BUNDLE_SEAL: digest} | {name: value for name, value in tags.items() if name == CODE_SEAL}
    check_seal(folder, expected, label)
    if CODE_SEAL in expected:
        _check_loader(folder, expected, label)


def _check_loader(folder: Path, expected: dict[str, str], label: str) -> None:
    """Checks that MLflow's own description of the model runs the code that was compared."""
    from mlflow.models import Model

    try:
        described = Model.load(str(folder))
    except Exception as error:  # noqa: BLE001 - whatever MLflow says of a file that is none of its own
        raise BundleError(f"{label}: its MLmodel cannot be read ({first_line(error)}); {WAY_OUT}") from None
    flavor = described.flavors.get("python_function", {})
    found = {name: flavor.get(name) for name in _FLAVOR}
    found |= {"model_code_path": Path(str(flavor.get("model_code_path"))).name, "python_model": flavor.get("python_model")}
    found |= {"bundle": flavor.get("artifacts", {}).get("bundle", {}).get("path")}
    found |= {name: (described.metadata or {}).get(name) for name in expected}
    wanted = _FLAVOR | {"model_code_path": LOADER_FILE, "python_model": None, "bundle": BUNDLE_PATH} | expected
    if faults := [f"{name} is {found[name]!r}, expected {value!r}" for name, value in wanted.items() if found[name] != value]:
        raise BundleError(f"{label}: its MLmodel is not the one that was registered: {'; '.join(faults)}; {WAY_OUT}")
