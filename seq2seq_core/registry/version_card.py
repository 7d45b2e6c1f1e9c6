"""The card of a version, from what the registry knows and from the workspace that trained the version."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import first_line
from seq2seq_core.model_card.card import FACTS_FILE, render_card
from seq2seq_core.model_card.collection import Decided, collect_facts
from seq2seq_core.model_card.facts import CardFacts, Standing
from seq2seq_core.registry.judgement import Candidate, Judgement, measure_latency, policy_of
from seq2seq_core.registry.judges.evaluated_models import open_evaluated
from seq2seq_core.registry.receipts import Receipt
from seq2seq_core.registry.stored_model import download_file
from seq2seq_core.registry.versions import logged_model_id
from seq2seq_core.tracking.runs.lineage import upstream_digests

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)
TIMED_SECONDS = 0.25
"""The most that the timing of requests may take, beside the last one."""


def make_card(
    candidate: Candidate,
    receipt: Receipt,
    judgement: Judgement,
    settings: Settings,
    paths: Paths,
    client: MlflowClient,
    standing: Standing | None = None,
) -> dict[str, str]:
    """The files of a version's card, by name; empty, with a warning, where it cannot be made: the decision stands without it.

    Args:
        candidate: the version.
        receipt: the decision.
        judgement: what the gate says.
        settings: all sections.
        paths: the workspace.
        client: the MLflow client.
        standing: what the version is by the ledger; None: the decision says it.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    is_own = paths.served.is_dir() and bundle_digest(paths.served) == receipt.bundle_digest
    stored = None if is_own else download_file(candidate.version, FACTS_FILE)
    tags = _tags(candidate.version, client)
    try:
        earlier = CardFacts.model_validate_json(stored) if stored else None
        decided = _describe(candidate, receipt, judgement, settings, paths, tags)
        facts = collect_facts(decided, settings, paths, is_own, earlier)
        drift = judgement.drift or (earlier.drift if earlier else None)
        return render_card(facts.model_copy(update={"standing": standing, "drift": drift}))
    except Exception as error:  # noqa: BLE001 - the decision stands, whatever a report, a metric or a stored card holds
        reason = first_line(error) or type(error).__name__
        logger.warning("version %s of %r has no model card: %s", receipt.version, receipt.model_name, reason)
        return {}


def _describe(
    candidate: Candidate, receipt: Receipt, judgement: Judgement, settings: Settings, paths: Paths, tags: dict[str, str]
) -> Decided:
    """The version and the decision."""
    rival, rows = judgement.rival, candidate.rows
    predictor = open_evaluated(candidate.bundle, settings, paths)
    return Decided(
        model=receipt.model_name,
        version=receipt.version,
        bundle=candidate.bundle,
        pairs=rows.pairs,
        test_set=rows.digest,
        hypotheses=candidate.hypotheses,
        scores=candidate.scores,
        champion=rival.version,
        champion_hypotheses=rival.hypotheses,
        baselines=judgement.baselines,
        verdict=receipt.decision,
        reason=receipt.reason,
        evidence=judgement.evidence,
        policy=policy_of(settings.register_),
        milliseconds=measure_latency(predictor, rows.pairs, TIMED_SECONDS),
        lineage=_lineage(tags, candidate, receipt),
        inputs=upstream_digests(paths.root, "register"),
    )


def _tags(version: ModelVersion, client: MlflowClient) -> dict[str, str]:
    """The tags of a version and of its logged model."""
    model_id = logged_model_id(version)
    return dict(version.tags) if model_id is None else {**client.get_logged_model(model_id).tags, **version.tags}


def _lineage(tags: dict[str, str], candidate: Candidate, receipt: Receipt) -> dict[str, str]:
    """Commit, runs and digests, by label."""
    content = read_config(candidate.bundle)
    dirty = " (with uncommitted changes)" if tags.get("git_dirty") == "true" else ""
    known = {
        "commit": f"{tags['git_commit']}{dirty}" if "git_commit" in tags else "",
        "made by": f"seq2seq-flows {content.made_by}",
        "training run": tags.get("train_run_id", ""),
        "bundle": receipt.bundle_digest,
        "trained bundle": content.trained_digest or "",
        "initial weights": tags.get("initial_bundle_digest", ""),
        "teacher": f"{tags['teacher']}: bundle {tags.get('teacher_bundle_digest', '')}" if "teacher" in tags else "",
        "compared with": f"version {receipt.champion_version}" if receipt.champion_version else "",
        "test set": receipt.test_digest,
        "policy of the gate": receipt.policy_digest,
    }
    return {label: value for label, value in known.items() if value}
