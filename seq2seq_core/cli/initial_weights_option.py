"""Finds the bundle of ``train.initial_weights`` before training starts, in a folder or in MLflow.

It is not part of training, which must work without MLflow.
"""

from __future__ import annotations

from importlib.util import find_spec

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import UserError
from seq2seq_core.training.initial.initial_bundle import (
    InitialBundle,
    find_fetched_bundle,
    find_local_bundle,
    is_remote,
    pin_digest,
)


def pin_initial_weights(settings: Settings, paths: Paths) -> tuple[Settings, InitialBundle | None]:
    """The settings with the digest of the initial bundle, and that bundle; None where training begins with random weights.

    Args:
        settings: section ``train`` names the bundle and, optionally, its digest.
        paths: the workspace; a bundle from MLflow is downloaded to ``.s2s/bundles``.

    Raises:
        UserError: there is no such bundle, its digest differs from the given one, or it is in MLflow, which is not installed.
        BundleError: the folder or artifact is not a bundle.
        TrackingUnreachable: MLflow does not answer.
    """
    train = settings.train
    if not is_remote(train.initial_weights):
        initial = find_local_bundle(train, paths)
    elif (initial := find_fetched_bundle(train, paths)) is None:
        if find_spec("mlflow") is None:
            raise UserError(
                f"train.initial_weights: {train.initial_weights} is in MLflow, which is not installed here; expected a bundle's "
                "folder, or train.initial_digest and that bundle in .s2s/bundles/DIGEST"
            )
        from seq2seq_core.registry.initial_weights import fetch_initial_bundle

        initial = fetch_initial_bundle(train, paths)
    return settings.model_copy(update={"train": pin_digest(train, initial)}), initial
