"""The initial bundle of a training: finds it and checks its digest."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.bundle.signature import check_trusted
from seq2seq_core.config.train import TrainSection
from seq2seq_core.errors import UserError

REMOTE_SCHEMES = ("models:", "runs:")
"""Prefixes of references to MLflow; all other references are folders."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InitialBundle:
    """A bundle with the initial weights of a training.

    Attributes:
        folder: where it is.
        digest: SHA-256 of its files.
        origin: its name for users: a folder, or ``models:/NAME/VERSION``.
    """

    folder: Path
    digest: str
    origin: str

    @property
    def tags(self) -> dict[str, str]:
        """Its tags for a run of MLflow."""
        return {"initial_weights": self.origin, "initial_bundle_digest": self.digest}


def is_remote(reference: str) -> bool:
    """Whether a reference points to MLflow."""
    return reference.startswith(REMOTE_SCHEMES)


def find_local_bundle(train: TrainSection, paths: Paths) -> InitialBundle | None:
    """The initial bundle in a folder; None if the initial weights are random.

    Args:
        train: names the bundle and its expected digest.
        paths: the workspace; relative folders start at its root.

    Raises:
        UserError: it is remote, no folder or an output of this pipeline, or its digest is not the expected one.
        BundleError: the folder holds no bundle, or one that is not signed for the configured public key.
    """
    reference = train.initial_weights
    if not reference:
        return None
    if is_remote(reference):
        raise UserError(
            f"train.initial_weights: {reference} has to be fetched from MLflow first, as the command `s2s train` does; expected a "
            "bundle's folder"
        )
    folder = paths.root / reference
    if folder.resolve() in (paths.bundle.resolve(), paths.served.resolve()):
        raise UserError(
            f"train.initial_weights: {reference} is what this pipeline writes, and DVC removes it before the stage runs; expected "
            "a copy elsewhere (such as data/base) or a registered version"
        )
    if not folder.is_dir():
        raise UserError(
            f"train.initial_weights: {folder}: no such folder; expected a bundle's folder, models:/NAME/VERSION, "
            "models:/NAME@ALIAS or runs:/RUN/PATH"
        )
    read_config(folder)
    check_trusted(folder, paths)
    initial = InitialBundle(folder, bundle_digest(folder), reference)
    check_initial_digest(initial, train)
    return initial


def fetched_folder(digest: str, paths: Paths) -> Path:
    """The local folder of a bundle that was fetched from MLflow.

    Args:
        digest: digest of the bundle.
        paths: the workspace; keeps fetched bundles in ``.s2s/bundles``.
    """
    return paths.fetched_bundles / digest


def find_fetched_bundle(train: TrainSection, paths: Paths) -> InitialBundle | None:
    """The pinned initial bundle if it was fetched earlier, else None; so a pinned bundle needs no MLflow.

    Args:
        train: gives its digest.
        paths: the workspace; reads ``.s2s/bundles``.

    Raises:
        BundleError: the bundle is not signed for the configured public key.
    """
    folder = find_fetched_folder(train.initial_digest, paths)
    return None if folder is None else InitialBundle(folder, train.initial_digest, train.initial_weights)


def find_fetched_folder(digest: str, paths: Paths) -> Path | None:
    """The folder of a bundle that was fetched earlier; None: it was not, or is damaged.

    Args:
        digest: its digest; empty: none is meant.
        paths: the workspace; reads ``.s2s/bundles``.

    Raises:
        BundleError: the bundle is not signed for the configured public key.
    """
    folder = fetched_folder(digest, paths)
    if not digest or not folder.is_dir() or bundle_digest(folder) != digest:
        return None
    check_trusted(folder, paths)
    return folder


def check_initial_digest(initial: InitialBundle, train: TrainSection) -> None:
    """Checks the digest of a bundle; if the settings give none, warns and tells how to pin it.

    Args:
        initial: the bundle that was found.
        train: gives the expected digest.

    Raises:
        UserError: the digests differ.
    """
    name = initial.origin if initial.origin == train.initial_weights else f"{train.initial_weights} ({initial.origin})"
    if train.initial_digest and train.initial_digest != initial.digest:
        raise UserError(
            f"train.initial_digest: {name} has the digest {initial.digest}, expected {train.initial_digest}; give its digest to "
            "begin with it instead"
        )
    if not train.initial_digest:
        logger.warning(
            "train.initial_digest is empty: `dvc repro` does not notice when %s becomes another bundle; to pin it, set it to %s",
            name, initial.digest,
        )  # fmt: skip


def pin_digest(train: TrainSection, initial: InitialBundle | None) -> TrainSection:
    """The settings with the digest of the initial bundle, so that keys made from settings depend on it.

    Args:
        train: the settings to complete.
        initial: the bundle that was found; None: the settings are unchanged.
    """
    return train if initial is None else train.model_copy(update={"initial_digest": initial.digest})
