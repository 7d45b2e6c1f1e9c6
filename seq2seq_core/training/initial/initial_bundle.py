"""The bundle that a training begins with: where it is, and that it is the one that is meant."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import bundle_digest, read_config
from seq2seq_core.config.train import TrainSection
from seq2seq_core.errors import UserError

REMOTE_SCHEMES = ("models:", "runs:")
"""What references to MLflow begin with; all others are folders."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InitialBundle:
    """A bundle whose weights a training begins with.

    Attributes:
        folder: where it is.
        digest: SHA-256 of its files.
        origin: what a person may call it: a folder, or ``models:/NAME/VERSION``.
    """

    folder: Path
    digest: str
    origin: str

    @property
    def tags(self) -> dict[str, str]:
        """What a run of MLflow says about it."""
        return {"initial_weights": self.origin, "initial_bundle_digest": self.digest}


def is_remote(reference: str) -> bool:
    """Whether a reference leads to MLflow."""
    return reference.startswith(REMOTE_SCHEMES)


def find_local_bundle(train: TrainSection, paths: Paths) -> InitialBundle | None:
    """The initial bundle in a folder; None where weights are drawn at random.

    Args:
        train: names it.
        paths: the workspace, from which the folder is meant.

    Raises:
        UserError: it is no folder, or what training is about to replace, or another bundle than the one whose digest is given.
        BundleError: the folder holds no bundle.
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
    initial = InitialBundle(folder, bundle_digest(folder), reference)
    check_initial_digest(initial, train)
    return initial


def fetched_folder(digest: str, paths: Paths) -> Path:
    """Where a bundle that was fetched from MLflow is kept.

    Args:
        digest: of the bundle.
        paths: the workspace.
    """
    return paths.fetched_bundles / digest


def find_fetched_bundle(train: TrainSection, paths: Paths) -> InitialBundle | None:
    """The initial bundle among those that were fetched earlier, so that a pinned one needs no MLflow; None where it is not there.

    Args:
        train: gives its digest.
        paths: the workspace.
    """
    folder = fetched_folder(train.initial_digest, paths)
    if not train.initial_digest or not folder.is_dir() or bundle_digest(folder) != train.initial_digest:
        return None
    return InitialBundle(folder, train.initial_digest, train.initial_weights)


def check_initial_digest(initial: InitialBundle, train: TrainSection) -> None:
    """Makes sure that a bundle is the one that the settings mean; where they leave that open, says how to settle it.

    Args:
        initial: what was found.
        train: the settings.

    Raises:
        UserError: it is another one.
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
    """The settings with the digest of the bundle that was found, so that all that is keyed by settings is keyed by it too.

    Args:
        train: the settings.
        initial: None: the settings stay.
    """
    return train if initial is None else train.model_copy(update={"initial_digest": initial.digest})
