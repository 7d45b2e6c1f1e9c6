"""The check of a lineage: its statements against their seal, the tags of the registry, and the files of the version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.config_file import CONFIG_FILE, WEIGHTS_FILE
from seq2seq_core.bundle.model_seal import BUNDLE_PATH
from seq2seq_core.drift.corpus_profile import PROFILE_FILE
from seq2seq_core.errors import BundleError
from seq2seq_core.registry.stored_model import check_stored_model, download_file, label_of
from seq2seq_core.registry.versions import DIGEST_TAG, logged_model_id
from seq2seq_core.tracking.mlflow.store import connect, store_errors
from seq2seq_core.tracking.runs.graph_summary import TRAINED_TAG

if TYPE_CHECKING:
    from seq2seq_core.lineage.lineage_storage import Lineage

SEAL_TAG = "mlflow.s2s.lineage"
"""The tag of a version's logged model with a digest of each statement; MLflow's pages leave out the tags ``mlflow.*``."""
DIGITS = 16
PATCH_FILE, ROWS_FILE = "dirty.patch", "corpus_rows.npz"
ROWS_DIGEST, PROFILE_DIGEST = "rows_sha256", "profile_sha256"
"""The digests of the hashes of rows and of the profile, in the section ``corpus`` of a record."""
ATTACHED = {"code.patch_sha256": PATCH_FILE, f"corpus.{ROWS_DIGEST}": ROWS_FILE, f"corpus.{PROFILE_DIGEST}": PROFILE_FILE}
"""The other files of a lineage, by the statement that has their digest."""


def seal_record(record: Mapping[str, Any]) -> str:
    """A digest of each statement of a record, as JSON: of each section, or of each entry of one that has several.

    Args:
        record: as it is stored.
    """
    return json.dumps({name: _digest(value) for name, value in _statements(record).items()}, sort_keys=True)


def check_record(lineage: Lineage, attached: Mapping[str, bytes | None], paths: Paths) -> list[str]:
    """The statements of a lineage that do not hold, each with what speaks against it; empty: none is known.

    A version of an earlier release has no seal: of its lineage only what the tags and the stored files say too is checked.

    Args:
        lineage: of a version.
        attached: the content of each other file of it, by name; None: it has none.
        paths: the workspace, whose registry is read.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    version, record, client = lineage.version, lineage.record, connect(paths)
    model_id = logged_model_id(version)
    with store_errors(paths):
        tags = {**(client.get_logged_model(model_id).tags if model_id else {}), **version.tags}
        config = download_file(version, f"{BUNDLE_PATH}/{CONFIG_FILE}")
    known = {
        "model.name": ("the registry", version.name),
        "model.version": ("the registry", str(version.version)),
        "model.bundle_digest": (f"the tag {DIGEST_TAG}", tags.get(DIGEST_TAG)),
        "model.trained_digest": (f"the tag {TRAINED_TAG}", tags.get(TRAINED_TAG) if _of(record, "model.trained_digest") else None),
        "model.weights_sha256": (f"the {CONFIG_FILE} of its bundle", _weights(config)),
        "code.commit": ("the tag git_commit", tags.get("git_commit")),
        **{
            statement: (f"the file {name}", _sha256(attached[name]) if name == PATCH_FILE or _of(record, statement) else None)
            for statement, name in ATTACHED.items()
        },
        "runs.train": ("the tag train_run_id", tags.get("train_run_id")),
        "parents.initial_weights.digest": ("the tag initial_bundle_digest", tags.get("initial_bundle_digest")),
    }
    faults = [
        f"{statement} is {_of(record, statement) or 'missing'}, but {source} says {expected}"
        for statement, (source, expected) in known.items()
        if expected is not None and _of(record, statement) != expected
    ]
    faults += [
        f"{statement} names a file {name}, and the version has none"
        for statement, name in ATTACHED.items()
        if _of(record, statement) and attached[name] is None
    ]
    try:
        check_stored_model(version, paths)
    except BundleError as error:
        faults.append(str(error).removeprefix(f"{label_of(version)}: "))
    return faults + [fault for fault in _broken_seals(record, tags.get(SEAL_TAG)) if fault.split()[0] not in _firsts(faults)]


def _broken_seals(record: Mapping[str, Any], seal: str | None) -> Iterator[str]:
    """The statements that are not those of the seal."""
    if seal is None:
        return
    found, sealed = _statements(record), json.loads(seal)
    for name in sorted(found.keys() | sealed.keys()):
        if name not in found:
            yield f"{name} is missing, but `s2s register` recorded it"
        elif sealed.get(name) != _digest(found[name]):
            yield f"{name} is not what `s2s register` recorded: its digest is {_digest(found[name])}, expected {sealed.get(name)}"


def _statements(record: Mapping[str, Any]) -> dict[str, Any]:
    """The statements of a record by dotted name, at most two names deep."""
    found: dict[str, Any] = {}
    for section, value in record.items():
        found |= {f"{section}.{name}": item for name, item in value.items()} if isinstance(value, Mapping) else {section: value}
    return found


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:DIGITS]


def _firsts(faults: list[str]) -> set[str]:
    return {fault.split()[0] for fault in faults}


def _of(record: Mapping[str, Any], name: str) -> Any:
    """The value of a dotted name; None where there is none."""
    value: Any = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _weights(config: bytes | None) -> str | None:
    """The digest of the weights in the content of a bundle's ``config.json``."""
    try:
        digest = json.loads(config)["digests"][WEIGHTS_FILE] if config else None
    except (ValueError, KeyError, TypeError):
        return None
    return None if digest is None else str(digest)


def _sha256(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()
