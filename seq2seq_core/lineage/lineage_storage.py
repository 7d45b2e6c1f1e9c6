"""The lineage of a version in the registry: made once at registration, attached to the version's model, read by any reference."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.model_seal import WAY_OUT
from seq2seq_core.config.settings import Settings
from seq2seq_core.drift.corpus_profile import PROFILE_FILE
from seq2seq_core.errors import UserError
from seq2seq_core.lineage.code_state import read_code_state
from seq2seq_core.lineage.corpus_rows import CorpusRows, hash_corpus
from seq2seq_core.lineage.lineage_record import Origin, add_row_counts, build_record, corpus_folder, row_files, to_text
from seq2seq_core.lineage.record_check import ATTACHED, PATCH_FILE, PROFILE_DIGEST, ROWS_FILE, SEAL_TAG, check_record, seal_record
from seq2seq_core.registry.receipts import Receipt
from seq2seq_core.registry.stored_model import download_file
from seq2seq_core.registry.versions import find_number, logged_model_id
from seq2seq_core.tracking.mlflow.store import connect, store_errors
from seq2seq_core.tracking.runs.machine import MACHINE_TAG, describe_machine
from seq2seq_core.tracking.session import active_run_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

RECORD_FILE = "lineage.json"
SECTIONS = ("model", "code", "settings", "machine", "corpus")
"""What no record lacks."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lineage:
    """The lineage of a registered version.

    Attributes:
        version: as the registry gives it.
        record: what was recorded at its registration.
    """

    version: ModelVersion
    record: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The version's name for people."""
        return f"version {self.version.version} of {self.version.name}"

    def read_patch(self, paths: Paths) -> str:
        """The changes on top of the commit; empty: none.

        Args:
            paths: the workspace, whose registry is read.
        """
        return (_read(self.version, PATCH_FILE, paths) or b"").decode("utf-8", "surrogateescape")

    def read_rows(self, paths: Paths) -> CorpusRows | None:
        """The hashes of the corpus rows; None where the corpus was too large for them.

        Args:
            paths: the workspace, whose registry is read.

        Raises:
            UserError: they cannot be read.
        """
        content = _read(self.version, ROWS_FILE, paths)
        return None if content is None else CorpusRows.from_bytes(content)

    def faults(self, paths: Paths) -> list[str]:
        """The statements that do not hold, as far as the registry and the version's own files can tell; empty: none.

        Args:
            paths: the workspace, whose registry is read.
        """
        attached = {name: _read(self.version, name, paths) for name in ATTACHED.values()}
        return [f"{self.label}: {fault}" for fault in check_record(self, attached, paths)]


def record_lineage(receipt: Receipt, settings: Settings, paths: Paths) -> bool:
    """Attaches the lineage to a version that has none yet; returns whether it was attached.

    The record itself is sent last, so that a registration that was killed in between makes it anew.

    Args:
        receipt: names the version, whose bundle is the workspace's ``models/served``.
        settings: all.
        paths: the workspace; reads the corpus and every stage output.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    client = connect(paths)
    with store_errors(paths):
        version = find_number(client, receipt.model_name, receipt.version)
        model_id = logged_model_id(version) if version else None
        if version is None or model_id is None or download_file(version, RECORD_FILE) is not None:
            return False
        origin = _find_origin(client, version, receipt, settings, paths)
    logger.info("recording the lineage of version %s: digests of the corpus and of every stage's output", receipt.version)
    record = build_record(origin, settings, paths)
    folder = corpus_folder(settings, paths)
    rows = None if folder is None else hash_corpus(folder, row_files(settings, paths))
    contents: dict[str, bytes] = {} if rows is None else {ROWS_FILE: rows.to_bytes()}
    add_row_counts(record, rows, contents.get(ROWS_FILE, b""))
    if paths.corpus_profile.is_file():
        contents[PROFILE_FILE] = paths.corpus_profile.read_bytes()
        record["corpus"][PROFILE_DIGEST] = hashlib.sha256(contents[PROFILE_FILE]).hexdigest()
    if origin.code.patch:
        contents[PATCH_FILE] = origin.code.patch.encode("utf-8", "surrogateescape")
    content = to_text(record).encode("utf-8", "backslashreplace")
    with store_errors(paths):
        _attach(client, model_id, contents)
        client.set_logged_model_tags(model_id, {SEAL_TAG: seal_record(json.loads(content))})
        _attach(client, model_id, {RECORD_FILE: content})
    return True


def read_lineage(version: ModelVersion, paths: Paths) -> Lineage:
    """The lineage of a registered version.

    Args:
        version: as the registry gives it.
        paths: the workspace, whose registry is read.

    Raises:
        UserError: the version has none, because an earlier release registered it, or it was removed, or it cannot be read.
        TrackingUnreachable: MLflow does not answer.
    """
    content = _read(version, RECORD_FILE, paths)
    label = f"version {version.version} of {version.name!r}"
    if content is None and _is_sealed(version, paths):
        raise UserError(
            f"{label}: its {RECORD_FILE} is missing, although `s2s register` sealed one; {WAY_OUT}; if the registration was "
            "interrupted, `s2s register` in its workspace completes it"
        )
    if content is None:
        raise UserError(f"{label} has no lineage: an earlier release registered it; `s2s register` records that of new versions")
    try:
        record = json.loads(content)
    except ValueError as error:
        raise UserError(f"{label}: {RECORD_FILE} cannot be read ({error}); {WAY_OUT}") from None
    if not isinstance(record, dict) or not all(isinstance(record.get(name), dict) for name in SECTIONS):
        raise UserError(f"{label}: {RECORD_FILE} is no record of a lineage; {WAY_OUT}")
    return Lineage(version, record)


def _is_sealed(version: ModelVersion, paths: Paths) -> bool:
    """Whether the version's model has the seal of a lineage."""
    model_id, client = logged_model_id(version), connect(paths)
    with store_errors(paths):
        return model_id is not None and SEAL_TAG in client.get_logged_model(model_id).tags


def attach_file(version: ModelVersion, name: str, content: str, paths: Paths) -> None:
    """Attaches a text file to the model of a version.

    Args:
        version: as the registry gives it.
        name: the file's.
        content: the file's.
        paths: the workspace, whose registry is written.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    model_id, client = logged_model_id(version), connect(paths)
    if model_id is not None:
        with store_errors(paths):
            _attach(client, model_id, {name: content.encode()})


def _attach(client: MlflowClient, model_id: str, contents: Mapping[str, bytes]) -> None:
    if not contents:
        return
    with tempfile.TemporaryDirectory() as room:
        for name, content in contents.items():
            (Path(room) / name).write_bytes(content)
        client.log_model_artifacts(model_id, room)


def _read(version: ModelVersion, name: str, paths: Paths) -> bytes | None:
    with store_errors(paths):
        return download_file(version, name)


def _find_origin(client: MlflowClient, version: ModelVersion, receipt: Receipt, settings: Settings, paths: Paths) -> Origin:
    runs = {"register": active_run_id() or str(version.run_id or ""), "train": version.tags.get("train_run_id", "")}
    machine = _training_machine(client, runs["train"])
    return Origin(
        receipt=receipt,
        code=read_code_state(paths.root),
        machine=machine or describe_machine(settings.runtime),
        machine_is_of="train" if machine else "register",
        runs={stage: run for stage, run in runs.items() if run},
    )


def _training_machine(client: MlflowClient, run_id: str) -> dict[str, Any]:
    """What trained the model, by the tag of its run; empty where it has none."""
    try:
        found = json.loads(client.get_run(run_id).data.tags[MACHINE_TAG]) if run_id else {}
    except (KeyError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
