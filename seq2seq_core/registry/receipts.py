"""The receipt of a registration: a stage output with the same bytes for the same history, valid while the registry has the version.

DVC cannot see that a registry was emptied or replaced: the commands of this project remove a receipt whose version is missing.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import BundleError
from seq2seq_core.redaction.redactor import redact_values
from seq2seq_core.registry.versions import DIGEST_TAG, find_number, has_files
from seq2seq_core.tracking.dvc_experiment import current_experiment
from seq2seq_core.tracking.mlflow.address import database_file, displayed_uri
from seq2seq_core.tracking.mlflow.store import connect, store_errors
from seq2seq_core.tracking.runs.graph_run import KEY_VARIABLE

if TYPE_CHECKING:
    from seq2seq_core.gate.decision import Evidence

CHALLENGER: Literal["challenger"] = "challenger"
EXPERIMENT: Literal["experiment"] = "experiment"
"""The decision on a version of a DVC experiment: no alias."""
Verdict = Literal["champion", "challenger", "experiment"]


@dataclass(frozen=True)
class Receipt:
    """The receipt: the registered version and the decision about it.

    Attributes:
        registry: address of the registry, without credentials.
        model_name: name of the registered model.
        version: number of the version.
        bundle_digest: digest of the version's bundle.
        decision: alias of the version; ``experiment`` where a DVC experiment registered it, which moves no alias.
        reason: reason of the decision.
        metric: metric of the decision.
        score: the version's score.
        champion_version: the version that it was compared with; None where there was no comparison.
        champion_score: score of that version on the same test set.
        test_digest: SHA-256 of the test set.
        policy_digest: digest of what a version must prove.
        champion_scores: all known scores of the version that it was compared with, on the same test set, by metric.
        figures: of the comparison: outcome, gain with its interval, p-value, number of the comparison on this test set, its level.
        teacher: name and digest of the teacher that the model learned from; empty, and not written: none.
    """

    registry: str
    model_name: str
    version: str
    bundle_digest: str
    decision: Verdict
    reason: str
    metric: str
    score: float
    champion_version: str | None
    champion_score: float | None
    test_digest: str
    policy_digest: str
    champion_scores: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    teacher: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The receipt as JSON, with a fixed order of keys and without secrets."""
        values = {name: value for name, value in asdict(self).items() if value or name != "teacher"}
        return json.dumps(redact_values(values), ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """Parses the output of :meth:`to_json`.

        Raises:
            ValueError: the text is not a receipt of this format.
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(str(error)) from None


def evidence_figures(evidence: Evidence) -> dict[str, Any]:
    """The few figures of an evidence that a receipt and the ledger keep.

    Args:
        evidence: the gate's.
    """
    main = evidence.main
    figures: dict[str, Any] = {
        "outcome": evidence.outcome,
        "look": evidence.look,
        "looks": evidence.looks,
        "level": evidence.level,
        "rows": evidence.num_rows,
    }
    if main is not None:
        figures |= {
            "gain": main.gain.value, "gain_low": main.gain.low, "gain_high": main.gain.high, "p_better": main.p_better,
            "rows_that_differ": main.num_differing, "deviation": main.deviation,
        }  # fmt: skip
    return figures


def write_receipt(receipt: Receipt, paths: Paths) -> None:
    """Writes ``reports/registration.json``."""
    atomic.write_text(paths.receipt, receipt.to_json())


def note_promotion(receipt: Receipt, paths: Paths) -> None:
    """Notes that this run has moved the alias ``champion``; a receipt does not tell, because the same one is written again.

    Args:
        receipt: of the new champion.
        paths: the workspace; writes ``.s2s/promotion.json``.
    """
    note = {"graph_run": os.environ.get(KEY_VARIABLE, ""), "model_name": receipt.model_name, "version": receipt.version}
    atomic.write_text(paths.promotion, json.dumps(note) + "\n")


def has_promoted(graph_run: str, paths: Paths) -> bool:
    """Whether a run of the graph has moved the alias ``champion``.

    Args:
        graph_run: the run's key, as its stages get it.
        paths: the workspace; reads ``.s2s/promotion.json``.
    """
    try:
        return bool(json.loads(paths.promotion.read_text(encoding="utf-8"))["graph_run"] == graph_run)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def check_receipt(paths: Paths, settings: Settings) -> tuple[bool, str]:
    """Whether the registry still has the receipt's version with its bundle, and an explanation.

    Args:
        paths: the workspace; reads ``reports/registration.json`` and the MLflow registry.
        settings: ``register.model_name`` must be the receipt's.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    try:
        receipt = Receipt.from_json(paths.receipt.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False, "there is no receipt"
    except ValueError as error:
        return False, f"the receipt cannot be read ({error})"
    if receipt.decision == EXPERIMENT and not current_experiment():
        return False, "the last registration was of a DVC experiment, for which no alias was moved"
    registry = displayed_uri(paths)
    if receipt.registry != registry:
        return False, f"the last registration was in the registry {receipt.registry}, and {registry} is configured now"
    if (name := settings.register_.model_name) != receipt.model_name:
        return (
            False,
            f"the last registration was of the model {receipt.model_name!r}, whose versions stay; {name!r} is configured now",
        )
    return _registry_has(receipt, settings, paths)


def _registry_has(receipt: Receipt, settings: Settings, paths: Paths) -> tuple[bool, str]:
    """Whether the registry has the receipt's version with its bundle, and an explanation."""
    label = f"version {receipt.version} of {receipt.model_name!r}"
    database = database_file(paths)
    if database is not None and not database.is_file():
        return False, f"the registry {receipt.registry} is gone"
    client = connect(paths, settings.runtime.tracking_wait_seconds)
    with store_errors(paths):
        version = find_number(client, receipt.model_name, receipt.version)
        if version is None:
            return False, f"the registry {receipt.registry} has no {label}"
        if version.tags.get(DIGEST_TAG) != receipt.bundle_digest:
            return False, f"{label} in {receipt.registry} holds another bundle"
        if not has_files(client, version):
            return False, f"the files of {label} in {receipt.registry} are gone"
    return True, f"{label} is in {receipt.registry}"


def find_served_challenger(paths: Paths) -> Receipt | None:
    """The receipt of the workspace's served bundle, where that lost against a champion; no registry is asked.

    Args:
        paths: the workspace; reads ``reports/registration.json`` and, of a challenger, ``models/served``.
    """
    try:
        receipt = Receipt.from_json(paths.receipt.read_text(encoding="utf-8"))
        lost = receipt.decision == CHALLENGER and receipt.champion_version not in (None, receipt.version)
        return receipt if lost and receipt.bundle_digest == bundle_digest(paths.served) else None
    except (FileNotFoundError, ValueError, BundleError):
        return None


def drop_stale_receipt(paths: Paths, settings: Settings) -> str | None:
    """Deletes a receipt that is no longer valid, so that DVC runs ``register`` again; returns the reason.

    Returns None where the receipt is valid or missing.

    Args:
        paths: the workspace; reads or deletes ``reports/registration.json``.
        settings: ``register.model_name`` must be the receipt's.

    Raises:
        TrackingUnreachable: MLflow does not answer; the receipt stays.
    """
    if not paths.receipt.is_file():
        return None
    is_valid, reason = check_receipt(paths, settings)
    if is_valid:
        return None
    paths.receipt.unlink()
    return reason
