"""The version that somebody means: by number, alias, reference, bundle folder, digest, or the model header of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest, check_files
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import UserError
from seq2seq_core.registry.versions import DIGEST_TAG, LEDGER_SUFFIX, find_existing, find_version
from seq2seq_core.serving.model_header import MODEL_HEADER, read_header
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.store import connect_existing, store_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

EXPECTED = (
    "expected a version's number, @ALIAS, models:/NAME/VERSION, models:/NAME@ALIAS, a bundle's folder, a bundle's digest "
    f"(8 digits or more), or the header {MODEL_HEADER} of an answer"
)
_HEADER = re.compile(rf"^\s*{MODEL_HEADER}\s*:\s*", re.IGNORECASE)
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})", re.IGNORECASE)
_NAMED = re.compile(r"(?:models:/)?([^/@\s]+)/([1-9]\d*)")
_NUMBER = re.compile(r"v?([1-9]\d{0,6})")
_PAGE = 1000
_FOLDER_ADVICE = "a folder's own version exists once `s2s register` has registered it (models/served, not models/bundle)"
_DIGEST_ADVICE = "was it deleted, or is it of another registry? `s2s history --all` shows what became of the versions"


def find_reference(reference: str, settings: Settings, paths: Paths) -> ModelVersion:
    """The registered version of a reference.

    Args:
        reference: a number, ``@ALIAS``, ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``, a bundle's folder or its digest, or the
            header ``X-S2S-Model`` of an answer (its value, or the whole line).
        settings: ``register.model_name``, which numbers and aliases are of.
        paths: the workspace, whose registry is searched.

    Raises:
        UserError: there is no such version, a digest has several, or the reference has another form.
        BundleError: the folder is no bundle, or a file of it is damaged.
        TrackingUnreachable: MLflow does not answer.
    """
    text = _HEADER.sub("", reference).strip()
    if not text:
        raise UserError(f"{reference!r}: names no version; {EXPECTED}")
    name = settings.register_.model_name
    if said := read_header(text):
        version = find_version(said.reference, paths)
        has = version.tags.get(DIGEST_TAG, "none")
        if not has.startswith(said.digest):
            raise UserError(f"{reference}: {said.reference} has the bundle {has}; is it the answer of another registry?")
        return version
    if match := _NUMBER.fullmatch(text):
        client = connect_existing(paths)
        with store_errors(paths):
            return find_existing(client, name, match[1], paths)
    if text.startswith("@"):
        return find_version(f"models:/{name}{text}", paths)
    if text.startswith("models:"):
        return find_version(text, paths)
    if (folder := Path(text)).is_dir():
        check_files(folder, read_config(folder))  # a damaged bundle is not one that nobody registered
        return _find_bundle(bundle_digest(folder), name, text, _FOLDER_ADVICE, paths)
    for word in re.split(r"[\s;,=]+", text):
        if match := _DIGEST.fullmatch(word):
            return _find_bundle(match[1].lower(), name, reference, _DIGEST_ADVICE, paths)
        if match := _NAMED.fullmatch(word):
            return find_version(f"models:/{match[1]}/{match[2]}", paths)
    raise UserError(f"{reference}: no such folder or version; {EXPECTED}")


def _find_bundle(digest: str, name: str, shown: str, advice: str, paths: Paths) -> ModelVersion:
    """The oldest version of a bundle, of the configured model where it has one; several other models are a question."""
    client = connect_existing(paths)
    with store_errors(paths):
        found = [version for version in _iterate_versions(client) if version.tags.get(DIGEST_TAG, "").startswith(digest)]
    digests = sorted({version.tags[DIGEST_TAG] for version in found})
    if not found:
        raise UserError(f"{shown}: the registry {displayed_uri(paths)} has no version with the bundle {digest}; {advice}")
    if len(digests) > 1:
        raise UserError(f"{shown}: the beginning of {len(digests)} digests: {', '.join(digests[:5])}; expected more digits")
    others = sorted({f"models:/{version.name}/{version.version}" for version in found})
    if len({version.name for version in found}) > 1 and all(version.name != name for version in found):
        raise UserError(f"{shown}: the bundle of {', '.join(others[:5])}; expected one of these")
    return min(found, key=lambda version: (version.name != name, version.name, int(version.version)))


def _iterate_versions(client: MlflowClient) -> Iterator[ModelVersion]:
    """All versions of all models, those of ledgers left out."""
    token: str | None = None
    while True:
        page = client.search_model_versions(max_results=_PAGE, page_token=token)
        yield from (version for version in page if not version.name.endswith(LEDGER_SUFFIX))
        token = page.token
        if not token:
            return
