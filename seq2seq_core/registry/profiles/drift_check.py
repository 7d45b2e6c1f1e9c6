"""The drift of a version's corpus from the champion's, found when the version is decided on."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.drift.drift_report import DriftReport, compare_profiles
from seq2seq_core.errors import BundleError, UserError, first_line
from seq2seq_core.registry.profiles.version_profiles import count_like, read_own_profile, read_stored_profile
from seq2seq_core.registry.stored_model import label_of
from seq2seq_core.registry.versions import find_number

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)
DRIFT_TAG = "drift"
NO_PROFILE = "it has no profile of its corpus: an earlier release registered it"


def find_drift(
    version: ModelVersion, bundle: Path, champion: str, settings: Settings, paths: Paths, client: MlflowClient
) -> DriftReport | None:
    """How the corpus of a version differs from the champion's; None: there is no other champion, or nobody wants to know.

    A comparison that cannot be made is no error: the report says why.

    Args:
        version: the registered version.
        bundle: the folder of its bundle; the workspace's reports are of it where it is ``models/served``.
        champion: the number of the champion; empty: none.
        settings: ``register.drift``.
        paths: the workspace.
        client: the MLflow client.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    section = settings.register_.drift
    found = find_number(client, version.name, champion) if champion else None
    if section.action == "off" or found is None or champion == str(version.version):
        return None
    labels = (label_of(found), label_of(version))
    report = DriftReport(old=labels[0], new=labels[1], alpha=section.alpha, minimal_effect=section.minimal_effect)
    is_own = bundle == paths.served
    try:
        old, new = read_stored_profile(found), read_own_profile(paths) if is_own else read_stored_profile(version)
        if old is None or new is None:
            whose = NO_PROFILE if old is None else f"{labels[1]} has no profile: `s2s tokenize` makes that of the workspace"
            return report.model_copy(update={"trouble": whose})
        new = count_like(found, new, paths) if is_own else new
        return compare_profiles(old, new, labels, section.alpha, section.minimal_effect)
    except (BundleError, UserError) as error:
        return report.model_copy(update={"trouble": first_line(error)})


def refuse_drift(report: DriftReport | None, settings: Settings) -> list[str]:
    """What ``register.drift`` has against the promotion of a version: a sentence, or nothing.

    Args:
        report: of the version's corpus.
        settings: ``register.drift``.
    """
    if settings.register_.drift.action != "stop" or report is None or not report.alarms:
        return []
    names = ", ".join(one.name for one in report.alarms)
    return [f"its corpus has drifted from that of {report.old} ({names}), and register.drift.action is stop"]


def with_drift_policy(policy_digest: str, settings: Settings) -> str:
    """The digest of what a version must prove; drift is part of it where it can refuse a promotion.

    Args:
        policy_digest: of the gate's policy.
        settings: ``register.drift``.
    """
    section = settings.register_.drift
    if section.action != "stop":
        return policy_digest
    return hashlib.sha256(f"{policy_digest} {section.model_dump_json()}".encode()).hexdigest()


def keep_drift(report: DriftReport | None, model: str, version: str, paths: Paths) -> None:
    """Tells the drift of a version in the log, and keeps it for the pages of this run.

    Args:
        report: None: nothing was compared.
        model: name of the registered model.
        version: number of its version.
        paths: the workspace; writes ``.s2s/drift.json``.
    """
    if report is None:
        paths.drift.unlink(missing_ok=True)
        return
    log = logger.warning if report.alarms else logger.info
    log("%s", report.sentence())
    kept = {"model": model, "version": version, "report": report.model_dump(mode="json")}
    atomic.write_text(paths.drift, json.dumps(kept, ensure_ascii=False) + "\n")


def read_drift(model: str, version: str, paths: Paths) -> DriftReport | None:
    """The drift that was found when a version was decided on last in this workspace; None: there is none.

    Args:
        model: name of the registered model.
        version: number of its version.
        paths: the workspace; reads ``.s2s/drift.json``.
    """
    try:
        kept = json.loads(paths.drift.read_text(encoding="utf-8"))
        is_same = kept["model"] == model and kept["version"] == version
        return DriftReport.model_validate(kept["report"]) if is_same else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
