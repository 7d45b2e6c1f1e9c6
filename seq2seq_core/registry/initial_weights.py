"""Download of the initial bundle of a training from MLflow: a registered version, or an artifact of a run."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import CONFIG_FILE
from seq2seq_core.bundle.model_seal import BUNDLE_PATH
from seq2seq_core.bundle.signature import SUFFIX, check_trusted, kept_signature
from seq2seq_core.config.train import TrainSection
from seq2seq_core.errors import BundleError, UserError
from seq2seq_core.registry.bundles import download_bundle
from seq2seq_core.registry.versions import find_version
from seq2seq_core.tracking.mlflow.store import connect, store_errors
from seq2seq_core.training.initial.initial_bundle import InitialBundle, check_initial_digest, fetched_folder

_RUN_REFERENCE = re.compile(r"runs:/[^/]+/.+")


def fetch_initial_bundle(train: TrainSection, paths: Paths) -> InitialBundle:
    """Downloads the initial bundle to the work folder; an alias means its current version.

    Args:
        train: ``initial_weights`` is ``models:/NAME@ALIAS``, ``models:/NAME/VERSION`` or ``runs:/RUN/PATH``.
        paths: the workspace, whose MLflow store is read; downloads go to ``.s2s/bundles``.

    Raises:
        UserError: MLflow has no such model or artifact, or the bundle does not have the given digest.
        BundleError: the artifact is not a bundle, or is damaged.
        TrackingUnreachable: MLflow does not answer.
    """
    reference = train.initial_weights
    if reference.startswith("models:"):
        version = find_version(reference, paths)
        folder = download_bundle(version, paths)
        initial = InitialBundle(folder, folder.name, f"models:/{version.name}/{version.version}")
    else:
        folder = _download_from_run(reference, paths)
        initial = InitialBundle(folder, folder.name, reference)
    check_initial_digest(initial, train)
    return initial


def _download_from_run(reference: str, paths: Paths) -> Path:
    """Downloads the bundle in a run's artifact; returns its folder."""
    if _RUN_REFERENCE.fullmatch(reference) is None:
        raise UserError(f"train.initial_weights: {reference}: not an artifact of a run; expected runs:/RUN/PATH")
    connect(paths)
    with tempfile.TemporaryDirectory() as room:
        with store_errors(paths):
            from mlflow.artifacts import download_artifacts

            top = Path(download_artifacts(artifact_uri=reference, dst_path=room))
        found = next((folder for folder in (top, top / BUNDLE_PATH) if (folder / CONFIG_FILE).is_file()), None)
        if found is None:
            raise BundleError(
                f"train.initial_weights: {reference} holds no bundle; expected {CONFIG_FILE} there or in {BUNDLE_PATH}"
            )
        folder = fetched_folder(bundle_digest(found), paths)
        with atomic.new_folder(folder) as draft:
            shutil.copytree(found, draft, dirs_exist_ok=True)
        if (signature := found.with_name(f"{found.name}{SUFFIX}")).is_file():
            shutil.copy(signature, kept_signature(folder.name, paths))
    check_trusted(folder, paths)
    return folder
