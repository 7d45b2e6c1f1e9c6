"""Lookup of registered versions by reference, number or bundle digest. Does not import PyTorch, to be cheap for flows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import UserError
from seq2seq_core.registry.ledger import CHAMPION, NO_VERSION
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.store import connect_existing, store_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

DIGEST_TAG = "bundle_digest"
LEDGER_SUFFIX = ".ledger"
"""Ending of the name of the registered model that holds a model's ledger."""
MAX_LISTED = 10
"""Versions, the latest ones, that a message about a missing one lists."""
_LOGGED_MODEL = re.compile(r"models:/(?P<id>m-[0-9a-f]+)")
_REFERENCE = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[1-9]\d*))")


def find_version(reference: str, paths: Paths) -> ModelVersion:
    """The registered version of a reference.

    Args:
        reference: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        paths: the workspace, whose MLflow registry is searched.

    Raises:
        UserError: there is no such model, alias or version (the message lists known ones), or the reference has another form.
        TrackingUnreachable: MLflow does not answer.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UserError(f"{reference}: not a registered model; expected models:/NAME@ALIAS or models:/NAME/VERSION")
    client = connect_existing(paths)
    with store_errors(paths):
        model = find_model(client, match["name"])
        if model is None:
            names = ", ".join(list_models(client)) or "none"
            raise UserError(f"{reference}: the registry {displayed_uri(paths)} has no model {match['name']!r}; it has: {names}")
        number = match["version"] or model.aliases.get(match["alias"])
        if number is None:
            aliases = ", ".join(sorted(model.aliases)) or "none"
            advice = (
                f" (a version that is not proved good enough: models:/{model.name}@challenger)" if "challenger" in aliases else ""
            )
            raise UserError(f"{reference}: the model {model.name!r} has no alias {match['alias']!r}; it has: {aliases}{advice}")
        return find_existing(client, model.name, str(number), paths, f"{reference}: ")


def find_existing(client: MlflowClient, name: str, number: str, paths: Paths, prefix: str = "") -> ModelVersion:
    """A version of a model.

    Args:
        client: the MLflow client.
        name: the registered model's name.
        number: the version's.
        paths: the workspace, for the message.
        prefix: of the message.

    Raises:
        UserError: there is no such version; the message lists the latest ones.
    """
    version = find_number(client, name, number)
    if version is None:
        found = client.search_model_versions(f"name = '{name}'", max_results=MAX_LISTED, order_by=["version_number DESC"])
        known = ", ".join(str(one.version) for one in found) or "none"
        raise UserError(f"{prefix}the model {name!r} has no version {number} in {displayed_uri(paths)}; it has: {known}")
    return version


def find_model(client: MlflowClient, name: str) -> RegisteredModel | None:
    """The registered model of this name, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def current_champion(client: MlflowClient, name: str) -> str:
    """The version that holds the alias ``champion``; empty: none.

    Args:
        client: the MLflow client.
        name: the registered model's name.
    """
    model = find_model(client, name)
    number = None if model is None else model.aliases.get(CHAMPION)
    return NO_VERSION if number is None else str(number)


def list_models(client: MlflowClient) -> list[str]:
    """The names of the registered models, sorted, without those that hold ledgers."""
    return sorted(known.name for known in client.search_registered_models() if not known.name.endswith(LEDGER_SUFFIX))


def find_number(client: MlflowClient, name: str, number: str) -> ModelVersion | None:
    """The version of a model with this number, or None where it is missing or not ready."""
    from mlflow.exceptions import MlflowException

    try:
        version = client.get_model_version(name, number)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return version if version.status == "READY" else None


def find_digest(client: MlflowClient, name: str, digest: str) -> ModelVersion | None:
    """The oldest usable version of a model whose bundle has this digest, or None."""
    found = client.search_model_versions(f"name = '{name}' and tag.`{DIGEST_TAG}` = '{digest}'")
    usable = [version for version in found if version.status == "READY" and has_files(client, version)]
    return min(usable, key=lambda version: int(version.version), default=None)


def logged_model_id(version: ModelVersion) -> str | None:
    """The id of the logged model that a version was made of; None where it was made of something else."""
    found = _LOGGED_MODEL.fullmatch(version.source or "")
    return str(version.model_id) if version.model_id else found and found["id"]


def has_files(client: MlflowClient, version: ModelVersion) -> bool:
    """Whether the files of a version still exist; an artifact folder can be deleted without the registry's knowledge."""
    from mlflow.artifacts import list_artifacts

    place = client.get_model_version_download_uri(version.name, version.version)
    return any(Path(file.path).name == "MLmodel" for file in list_artifacts(artifact_uri=place))
