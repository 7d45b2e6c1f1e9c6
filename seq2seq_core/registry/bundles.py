"""Download of the bundles of registered versions."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest, list_files
from seq2seq_core.bundle.model_seal import BUNDLE_PATH, WAY_OUT, find_change
from seq2seq_core.bundle.signature import check_trusted, find_public_key, kept_signature
from seq2seq_core.bundle.signed_model import BUNDLE_SIGNATURE, unsigned
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.registry.stored_model import download_file, keep_signature, label_of
from seq2seq_core.registry.versions import DIGEST_TAG, find_version
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.store import store_errors

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)


def fetch_bundle(reference: str, paths: Paths) -> Path:
    """The folder of a bundle; downloads the bundle of a registered version, once.

    Args:
        reference: ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, or a bundle's folder.
        paths: the workspace, whose MLflow registry is read; downloads go to ``.s2s/bundles``.

    Raises:
        UserError: there is no such folder, model, alias or version, or the reference has another form.
        BundleError: the version has no bundle, or its bundle does not match its digest tag, or is not signed for the public key.
        TrackingUnreachable: MLflow does not answer.
    """
    if not reference.startswith("models:"):
        folder = Path(reference)
        if not folder.is_dir():
            raise UserError(f"{reference}: no such folder; expected a bundle's folder, models:/NAME@ALIAS or models:/NAME/VERSION")
        check_trusted(folder, paths)
        return folder
    return download_bundle(find_version(reference, paths), paths)


def download_bundle(version: ModelVersion, paths: Paths) -> Path:
    """Downloads the bundle of a registered version unless it was downloaded before; returns its folder.

    Args:
        version: the registered version.
        paths: the workspace; writes ``.s2s/bundles/<digest>``.

    Raises:
        BundleError: the version has no bundle, or its bundle does not match its digest tag, or is not signed for the public key.
        TrackingUnreachable: MLflow does not answer.
    """
    label = label_of(version)
    expected = version.tags.get(DIGEST_TAG)
    if expected is None:
        raise BundleError(f"{label} has no tag {DIGEST_TAG!r}: it was not registered by `s2s register` and holds no bundle")
    folder = paths.fetched_bundles / expected
    if folder.is_dir() and bundle_digest(folder) == expected:
        _check_signature(version, folder, paths)
        return folder
    logger.info("fetching %s from %s", label, displayed_uri(paths))
    with store_errors(paths), atomic.new_folder(folder) as draft:
        _download(version, draft)
        if (found := bundle_digest(draft)) != expected:
            digests = f"the digest of its bundle is {found}, expected {expected} ({find_change(draft)})"
            raise BundleError(f"{label}: damaged or exchanged: {digests}; {WAY_OUT}")
    _check_signature(version, folder, paths)
    return folder


def _check_signature(version: ModelVersion, folder: Path, paths: Paths) -> None:
    """Refuses a bundle without a valid signature, if a public key is configured."""
    key = find_public_key(paths)
    if key is None:
        return
    with store_errors(paths):
        content = None if kept_signature(folder.name, paths).is_file() else download_file(version, BUNDLE_SIGNATURE)
    if content is not None:
        keep_signature(content, version, paths)
    elif not kept_signature(folder.name, paths).is_file():
        raise unsigned(label_of(version), key)
    check_trusted(folder, paths)


def _download(version: ModelVersion, draft: Path) -> None:
    """Downloads the files of a version's bundle into a folder."""
    from mlflow.artifacts import download_artifacts

    uri = f"models:/{version.name}/{version.version}/{BUNDLE_PATH}"
    with tempfile.TemporaryDirectory(dir=draft.parent, prefix=".download.") as room:
        local = Path(download_artifacts(artifact_uri=uri, dst_path=room))
        for name in list_files(local):
            (local / name).rename(draft / name)
