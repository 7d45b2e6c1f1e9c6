"""Registration of a bundle: creates its version once, decides on the alias and records the evidence."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seq2seq_core import __version__
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import INITIAL_BUNDLE, bundle_digest, read_config
from seq2seq_core.bundle.served_bundle import find_served_bundle
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import RECORDING_DIGEST, SOURCE, iterate_pairs
from seq2seq_core.registry.packaging import log_bundle
from seq2seq_core.registry.promotion import CHALLENGER, CHAMPION, EXPERIMENT, Champion, decide, find_champion, move_alias
from seq2seq_core.registry.receipts import Receipt, note_promotion
from seq2seq_core.registry.version_scores import SCORE_TAG, TEST_DIGEST_TAG, read_test_scores, score_champion
from seq2seq_core.registry.versions import DIGEST_TAG, find_digest, find_model
from seq2seq_core.tokenization.manifest import file_digest
from seq2seq_core.tracking.dvc_experiment import current_experiment
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.patience import call_patiently
from seq2seq_core.tracking.mlflow.store import connect, exclusive, store_errors
from seq2seq_core.tracking.runs.graph_run import experiment_id
from seq2seq_core.tracking.runs.graph_summary import EXPERIMENT_TAG, TRAINED_TAG
from seq2seq_core.tracking.runs.lineage import git_state
from seq2seq_core.tracking.session import active_run_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)
RECEIPT_TAG = "receipt"
_FOREIGN_CHARACTERS = re.compile(r"[^\w-]")
_MODEL_DESCRIPTION = (
    "Sequence-to-sequence model, retrained by seq2seq-flows. The alias `champion` is the version to serve; `challenger` is the last"
    " version that did not beat it. Each version's tags hold the evidence."
)


@dataclass(frozen=True)
class Registration:
    """The result of a registration.

    Attributes:
        receipt: the version and the decision.
        scores: scores on the test set, by metric.
        is_new: whether a version was created; the same bundle never gets a second version.
    """

    receipt: Receipt
    scores: dict[str, float]
    is_new: bool


@dataclass(frozen=True)
class _Evidence:
    """What is registered, read from the workspace.

    Attributes:
        bundle_digest: digest of the served bundle.
        scores: scores on the test set, by metric.
        test_digest: SHA-256 of the test set.
        example: a pair of the test set, in the format of a request.
    """

    bundle_digest: str
    scores: dict[str, float]
    test_digest: str
    example: dict[str, str]


def register_bundle(settings: Settings, paths: Paths) -> Registration:
    """Registers the workspace's served bundle and decides on its alias.

    Args:
        settings: section ``register`` has the model's name and the gate.
        paths: the workspace; reads ``models/served``, ``reports/metrics.json`` and the prepared test set.

    Raises:
        BundleError: the bundle cannot be read.
        MissingInput: the served bundle, the evaluation's scores or the test set is missing.
        UserError: the scores lack ``register.metric``.
        TrackingUnreachable: MLflow does not answer for ``runtime.tracking_wait_seconds``.
    """
    digest = bundle_digest(find_served_bundle(paths))
    scores = read_test_scores(paths.metrics, settings.register_.metric)
    example = _make_example(paths)
    evidence = _Evidence(digest, scores, file_digest(paths.prepared_split("test")), example)
    # Whatever a server's restart interrupted is found and completed by another attempt.
    return call_patiently(lambda: _register(evidence, settings, paths), settings.runtime.tracking_wait_seconds)


def _register(evidence: _Evidence, settings: Settings, paths: Paths) -> Registration:
    """One attempt to register."""
    client, name = connect(paths), settings.register_.model_name
    with store_errors(paths):
        with exclusive(paths):  # otherwise two registrations at once would both find no version
            version = find_digest(client, name, evidence.bundle_digest)
            is_new = version is None or (version.run_id is not None and version.run_id == active_run_id())
            if version is None:
                version = _create_version(client, settings, paths, evidence.bundle_digest, evidence.example)
            champion = find_champion(client, name)
        draft = _draft_receipt(version, evidence, settings, paths)
        earlier = _earlier_receipt(version, draft, champion)
        if earlier is not None:
            return Registration(earlier, evidence.scores, is_new)
        receipt = _decide(draft, champion, settings, paths)
        if receipt.decision != EXPERIMENT or RECEIPT_TAG not in version.tags:
            _record(client, receipt, evidence.scores)
        if receipt.decision == CHAMPION and (champion is None or str(champion.version) != receipt.version):
            note_promotion(receipt, paths)
    return Registration(receipt, evidence.scores, is_new)


def _make_example(paths: Paths) -> dict[str, str]:
    """The first test pair in the format of a request: a recording is in base64."""
    pair = next(iterate_pairs(paths.prepared_split("test")), {SOURCE: ""})
    if RECORDING_DIGEST not in pair:
        return pair
    recording = (paths.prepared_audio / pair[SOURCE]).read_bytes()
    return pair | {SOURCE: base64.b64encode(recording).decode("ascii")}


def _create_version(
    client: MlflowClient, settings: Settings, paths: Paths, digest: str, example: Mapping[str, str]
) -> ModelVersion:
    """Creates a version of the bundle; it has its digest tag from the start, so that it is found after a kill."""
    name, run_id = settings.register_.model_name, active_run_id()
    experiment = experiment_id(client, paths, settings)
    content = read_config(paths.served)
    trained = content.trained_digest or digest
    tags = {DIGEST_TAG: digest, TRAINED_TAG: trained, "s2s_version": __version__}
    tags |= git_state(paths.root) | _training(client, experiment, trained)
    if initial := content.data_digests.get(INITIAL_BUNDLE):
        tags["initial_bundle_digest"] = initial
    clean_name = _FOREIGN_CHARACTERS.sub("_", name)
    model = client.create_logged_model(experiment, name=clean_name, source_run_id=run_id, tags=tags)
    logger.info("logging the bundle to %s", displayed_uri(paths))
    log_bundle(paths.served, model, example)
    if find_model(client, name) is None:
        client.create_registered_model(name, description=_MODEL_DESCRIPTION)
    return client.create_model_version(name, f"models:/{model.model_id}", run_id=run_id, tags=tags, model_id=model.model_id)


def _training(client: MlflowClient, experiment: str, digest: str) -> dict[str, str]:
    """The tag ``train_run_id`` of the training that made a bundle; empty where MLflow has no such run."""
    runs = client.search_runs([experiment], f"tags.stage = 'train' and tags.{DIGEST_TAG} = '{digest}'", max_results=1)
    return {"train_run_id": str(runs[0].info.run_id)} if runs else {}


def _draft_receipt(version: ModelVersion, evidence: _Evidence, settings: Settings, paths: Paths) -> Receipt:
    """The receipt of a version before the decision."""
    gate = settings.register_
    return Receipt(
        registry=displayed_uri(paths),
        model_name=gate.model_name,
        version=str(version.version),
        bundle_digest=evidence.bundle_digest,
        decision=CHALLENGER,
        reason="",
        metric=gate.metric,
        score=evidence.scores[gate.metric],
        champion_version=None,
        champion_score=None,
        minimum_gain=gate.minimum_gain,
        minimum_score=gate.minimum_score,
        test_digest=evidence.test_digest,
    )


def _earlier_receipt(version: ModelVersion, draft: Receipt, champion: ModelVersion | None) -> Receipt | None:
    """The receipt of an earlier registration of the same version, if all inputs of the decision are the same."""
    try:
        earlier = Receipt.from_json(version.tags.get(RECEIPT_TAG, ""))
    except ValueError:
        return None
    names = ("decision", "reason", "champion_version", "champion_score", "champion_scores")
    decided = {name: getattr(earlier, name) for name in names}
    holder = None if champion is None else str(champion.version)
    expected_holder = earlier.version if earlier.decision == CHAMPION else earlier.champion_version
    return earlier if replace(draft, **decided) == earlier and holder == expected_holder else None


def _decide(draft: Receipt, champion: ModelVersion | None, settings: Settings, paths: Paths) -> Receipt:
    """The receipt with the decision."""
    rival: Champion | None = None
    if champion is not None and str(champion.version) != draft.version:
        rival = score_champion(champion, draft.test_digest, settings, paths)
    elif champion is not None:
        rival = Champion(draft.version, draft.score)
    decision = decide(draft.version, draft.score, rival, settings.register_, settings.evaluate.test_limit)
    is_compared = rival is not None and rival.version != draft.version
    is_experiment = bool(current_experiment())
    return replace(
        draft,
        decision=EXPERIMENT if is_experiment else decision.alias,
        reason=f"an experiment moves no alias ({decision.reason})" if is_experiment else decision.reason,
        champion_version=rival.version if rival is not None and is_compared else None,
        champion_score=rival.score if rival is not None and is_compared else None,
        champion_scores=rival.scores if rival is not None and is_compared else {},
    )


def _record(client: MlflowClient, receipt: Receipt, scores: dict[str, float]) -> None:
    """Writes the evidence to the version, then moves the alias, if any: a champion always has its evidence."""
    name, version = receipt.model_name, receipt.version
    verdict = receipt.decision
    tags = {TEST_DIGEST_TAG: receipt.test_digest, "decision": receipt.decision, "decision_reason": receipt.reason}
    tags |= {f"{SCORE_TAG}{metric}": repr(value) for metric, value in scores.items()}
    if receipt.champion_version is not None:
        tags |= {"compared_with": receipt.champion_version, "compared_score": repr(receipt.champion_score)}
    # The next registration takes a receipt for the decision, which an experiment leaves to it.
    tags |= {EXPERIMENT_TAG: current_experiment()} if verdict == EXPERIMENT else {RECEIPT_TAG: receipt.to_json()}
    for key, value in tags.items():
        client.set_model_version_tag(name, version, key, value)
    client.update_model_version(name, version, describe(receipt, scores))
    if verdict != EXPERIMENT:
        move_alias(client, name, version, verdict)


def describe(receipt: Receipt, scores: dict[str, float]) -> str:
    """The Markdown description of a version: decision, reason, and its scores beside the champion's.

    Args:
        receipt: the decision.
        scores: scores on the test set, by metric.
    """
    rival = receipt.champion_scores
    heads = ["metric", "this version", *([f"champion v{receipt.champion_version}"] if rival else [])]
    # The table of versions shows the first line as it stands: no Markdown there.
    lines = [f"{receipt.decision}: {receipt.reason}", "", f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for metric, value in scores.items():
        shown = [f"{value:.6g}", *([f"{rival[metric]:.6g}" if metric in rival else ""] if rival else [])]
        lines.append(f"| {' | '.join([metric, *shown])} |")
    return "\n".join([*lines, "", f"bundle `{receipt.bundle_digest}`, test set `{receipt.test_digest}`"]) + "\n"
