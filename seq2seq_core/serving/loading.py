"""A model for use in Python, by its name in the registry, its folder, or the workspace that made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from seq2seq_core.artifacts import Paths, find_workspace

if TYPE_CHECKING:
    from seq2seq_core.decoding.predictor import Predictor


class FoundModel(NamedTuple):
    """A model by its reference.

    Attributes:
        folder: of its bundle, which was checked.
        label: the registered version, such as ``models:/dates/3``, or the folder.
        digest: of the bundle.
    """

    folder: Path
    label: str
    digest: str


def load(reference: str | Path = "", device: str = "auto", workspace: str | Path | None = None) -> Predictor:
    """The predictor of a model.

    ``load("models:/dates@champion").predict("3 May 2031").text`` is one answer; a list of texts gives a list of predictions.

    Args:
        reference: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` of the workspace's registry, ``@ALIAS`` of its own model, or
            a bundle's folder; by default the workspace's own model, ``models/served``.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
        workspace: its folder; by default the nearest one at or above the current folder.

    Raises:
        UserError: there is no such model, alias, version, folder or device.
        BundleError: the bundle is damaged, or not signed although a public key is configured.
        TrackingUnreachable: MLflow does not answer.
    """
    from seq2seq_core.decoding.predictor import Predictor

    paths = Paths(Path(workspace)) if workspace is not None else find_workspace(Path.cwd()) or Paths(Path.cwd())
    return Predictor.from_folder(find_bundle(str(reference), paths), device=device)


def find_bundle(reference: str, paths: Paths) -> Path:
    """The checked folder of a bundle; a registered version is downloaded once.

    Args:
        reference: as in :func:`load`.
        paths: the workspace.

    Raises:
        UserError: there is no such model, alias, version or folder.
        BundleError: the bundle is damaged, or not signed although a public key is configured.
        TrackingUnreachable: MLflow does not answer.
    """
    reference = full_reference(reference, paths)
    if reference.startswith("models:"):
        from seq2seq_core.registry.bundles import fetch_bundle

        return fetch_bundle(reference, paths)
    from seq2seq_core.bundle.served_bundle import find_served_bundle
    from seq2seq_core.bundle.signature import check_trusted

    folder = Path(reference) if reference else find_served_bundle(paths)
    check_trusted(folder, paths)
    return folder


def full_reference(reference: str, paths: Paths) -> str:
    """A reference with the name of the workspace's own model in front of a lone ``@ALIAS``; any other one as it is.

    Args:
        reference: as in :func:`load`.
        paths: the workspace; of ``@ALIAS`` its ``params.yaml`` names the model.

    Raises:
        UserError: ``params.yaml`` cannot be used.
    """
    if not reference.startswith("@"):
        return reference
    from seq2seq_core.config.settings import load_settings

    return f"models:/{load_settings(paths.params).register_.model_name}{reference}"


def find_model(reference: str, paths: Paths) -> FoundModel:
    """The checked bundle of a model, and the names of what was found.

    Args:
        reference: as in :func:`load`.
        paths: the workspace.

    Raises:
        UserError: there is no such model, alias, version or folder.
        BundleError: the bundle is damaged, or not signed although a public key is configured.
        TrackingUnreachable: MLflow does not answer.
    """
    reference = full_reference(reference, paths)
    if reference.startswith("models:"):
        from seq2seq_core.registry.bundles import download_bundle
        from seq2seq_core.registry.versions import DIGEST_TAG, find_version

        version = find_version(reference, paths)
        return FoundModel(download_bundle(version, paths), f"models:/{version.name}/{version.version}", version.tags[DIGEST_TAG])
    from seq2seq_core.bundle.bundle_folder import bundle_digest

    folder = find_bundle(reference, paths)
    return FoundModel(folder, str(folder), bundle_digest(folder))
