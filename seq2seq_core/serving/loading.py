"""A model for use in Python, by its name in the registry, its folder, or the workspace that made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from seq2seq_core.artifacts import Paths, find_workspace
from seq2seq_core.errors import UserError

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
    from seq2seq_core.bundle.signature import check_trusted

    if reference:
        folder = Path(reference)
    else:
        from seq2seq_core.bundle.served_bundle import find_served_bundle  # loads PyTorch, which others need not

        folder = find_served_bundle(paths)
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


def find_pinned_model(reference: str, digest: str, setting: str, paths: Paths) -> tuple[FoundModel, str]:
    """A model that a setting names, and its name: ``models:/NAME/VERSION``, or the folder as the setting has it.

    Args:
        reference: ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, or a bundle's folder, relative to the workspace.
        digest: the digest that its bundle must have; empty: any. A pinned version that was fetched before needs no MLflow.
        setting: the setting, such as ``prepare.distill.teacher``; ``<setting>_digest`` is that of the digest.
        paths: the workspace.

    Raises:
        UserError: there is no such model, it is an output of this pipeline, or its digest is not the expected one.
        BundleError: the bundle is damaged, or not signed although a public key is configured.
        TrackingUnreachable: MLflow does not answer.
    """
    from seq2seq_core.training.initial.initial_bundle import find_fetched_folder

    is_registered = reference.startswith("models:")
    if is_registered and digest and (folder := find_fetched_folder(digest, paths)) is not None:
        return FoundModel(folder, reference, digest), reference
    found = find_model(reference, paths) if is_registered else _find_folder(reference, setting, paths)
    if digest not in ("", found.digest):
        raise UserError(
            f"{setting}_digest: {reference} has the digest {found.digest}, expected {digest}; give its digest to use it instead"
        )
    return found, found.label if is_registered else reference


def find_pinned_digest(reference: str, digest: str, setting: str, paths: Paths) -> str:
    """The digest of a model that a setting names; one that is pinned is taken as it is, and nothing is looked for.

    Args:
        reference: as in :func:`find_pinned_model`.
        digest: the pinned one; empty: none.
        setting: the setting, for messages.
        paths: the workspace.

    Raises:
        UserError, BundleError, TrackingUnreachable: see :func:`find_pinned_model`.
    """
    return digest or find_pinned_model(reference, "", setting, paths)[0].digest


def _find_folder(reference: str, setting: str, paths: Paths) -> FoundModel:
    """The bundle in a folder of the workspace that the pipeline does not write."""
    from seq2seq_core.bundle.config_file import read_config

    folder = paths.root / reference
    if folder.resolve() in (paths.bundle.resolve(), paths.served.resolve()):
        raise UserError(
            f"{setting}: {reference} is what this pipeline writes; expected a copy elsewhere (such as data/base), or a registered "
            "version"
        )
    if not folder.is_dir():
        raise UserError(
            f"{setting}: {folder}: no such folder; expected that of a bundle, models:/NAME/VERSION or models:/NAME@ALIAS"
        )
    read_config(folder)
    return find_model(str(folder), paths)
