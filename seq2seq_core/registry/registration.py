"""Registration of a bundle: creates its version once, decides on the alias and records the evidence."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seq2seq_core import __version__
from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle import check_bundle
from seq2seq_core.bundle.config_file import INITIAL_BUNDLE, read_config
from seq2seq_core.bundle.model_seal import CODE_SEAL
from seq2seq_core.bundle.signature import PRIVATE_VARIABLE, SIGNING, check_private_key, find_private_key, find_public_key
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import read_teacher
from seq2seq_core.errors import UserError
from seq2seq_core.registry.evaluated import Evaluated, read_evaluated
from seq2seq_core.registry.judgement import Candidate
from seq2seq_core.registry.packaging import log_bundle
from seq2seq_core.registry.parity import make_example, make_sample
from seq2seq_core.registry.promotion import decide_alias
from seq2seq_core.registry.receipts import Receipt
from seq2seq_core.registry.stored_model import check_champion_signed, sign_version
from seq2seq_core.registry.versions import DIGEST_TAG, find_digest, find_model
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.patience import call_patiently
from seq2seq_core.tracking.mlflow.store import connect, exclusive, store_errors
from seq2seq_core.tracking.runs.graph_run import experiment_id
from seq2seq_core.tracking.runs.graph_summary import TRAINED_TAG
from seq2seq_core.tracking.runs.lineage import git_state
from seq2seq_core.tracking.session import active_run_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)
VERSION_TAGS = (DIGEST_TAG, "git_commit", "train_run_id")
"""The tags of a version, beside those of its decision; its logged model has all."""
_FOREIGN_CHARACTERS = re.compile(r"[^\w-]")
_MODEL_DESCRIPTION = (
    "Sequence-to-sequence model, retrained by seq2seq-flows. The alias `champion` is the version to serve; `challenger` is the last"
    " version that did not take its place. `s2s history` shows who moved the alias, when and why."
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


def register_bundle(settings: Settings, paths: Paths) -> Registration:
    """Registers the workspace's served bundle and decides on its alias.

    Args:
        settings: section ``register`` has the model's name and the gate.
        paths: the workspace; reads ``models/served``, ``reports/metrics.json``, ``reports/evaluation`` and the prepared corpus.

    Raises:
        BundleError: the bundle is damaged, or its weights are not finite; or bundles must be signed and the champion's is not.
        MissingInput: the served bundle, the evaluation or the test set is missing.
        UserError: the evaluation is of another model, test set or metric, or lacks ``register.metric``; or a key cannot be used.
        TrackingUnreachable: MLflow does not answer for ``runtime.tracking_wait_seconds``.
    """
    evaluated = read_evaluated(settings, paths)
    check_bundle(paths.served)
    _check_keys(paths)
    # Whatever a server's restart interrupted is found and completed by another attempt.
    return call_patiently(lambda: _register(evaluated, settings, paths), settings.runtime.tracking_wait_seconds)


def _register(evaluated: Evaluated, settings: Settings, paths: Paths) -> Registration:
    """One attempt to register."""
    client, name, key = connect(paths), settings.register_.model_name, find_private_key(paths)
    digest = evaluated.scored.decoding.bundle
    with store_errors(paths):
        check_champion_signed(name, paths, client)
        with exclusive(paths):  # otherwise two registrations at once would both find no version
            version = find_digest(client, name, digest)
            is_new = version is None or (version.run_id is not None and version.run_id == active_run_id())
            if version is None:
                version = _create_version(client, settings, paths, evaluated)
        if key is not None:
            sign_version(version, paths, client, key)
        candidate = Candidate(version, paths.served, digest, evaluated.rows, evaluated.hypotheses, evaluated.scores)
        receipt = decide_alias(candidate, settings, paths, client).receipt
    return Registration(receipt, evaluated.scores, is_new)


def _check_keys(paths: Paths) -> None:
    """Refuses, before a version is created, keys with which it could not be signed or loaded."""
    private, public = find_private_key(paths), find_public_key(paths)
    if private is not None:
        check_private_key(private)
    elif public is not None:
        raise UserError(
            f"{SIGNING}.public_key_file: {public} asks for signed versions, and there is no key to sign this one: expected "
            f"{SIGNING}.private_key_file or the environment variable {PRIVATE_VARIABLE}"
        )


def _create_version(client: MlflowClient, settings: Settings, paths: Paths, evaluated: Evaluated) -> ModelVersion:
    """Creates a version of the bundle; it has its digest tag from the start, so that it is found after a kill."""
    name, run_id, digest = settings.register_.model_name, active_run_id(), evaluated.scored.decoding.bundle
    experiment = experiment_id(client, paths, settings)
    content = read_config(paths.served)
    trained = content.trained_digest or digest
    tags = {DIGEST_TAG: digest, TRAINED_TAG: trained, "s2s_version": __version__}
    tags |= git_state(paths.root) | _training(client, experiment, trained)
    if initial := content.data_digests.get(INITIAL_BUNDLE):
        tags["initial_bundle_digest"] = initial
    if (teacher := read_teacher(paths.prepared_teacher)) is not None:
        tags |= teacher.tags
    clean_name = _FOREIGN_CHARACTERS.sub("_", name)
    model = client.create_logged_model(experiment, name=clean_name, source_run_id=run_id, tags=tags)
    logger.info("logging the bundle to %s", displayed_uri(paths))
    sample = make_sample(evaluated.rows.pairs, evaluated.hypotheses, paths)
    logged = log_bundle(paths.served, model, make_example(evaluated.rows.pairs[0], paths), sample)
    client.set_logged_model_tags(model.model_id, {CODE_SEAL: (logged.metadata or {})[CODE_SEAL]})
    if find_model(client, name) is None:
        client.create_registered_model(name, description=_MODEL_DESCRIPTION)
    shown = {key: value for key, value in tags.items() if key in VERSION_TAGS}
    return client.create_model_version(name, f"models:/{model.model_id}", run_id=run_id, tags=shown, model_id=model.model_id)


def _training(client: MlflowClient, experiment: str, digest: str) -> dict[str, str]:
    """The tag ``train_run_id`` of the training that made a bundle; empty where MLflow has no such run."""
    runs = client.search_runs([experiment], f"tags.stage = 'train' and tags.{DIGEST_TAG} = '{digest}'", max_results=1)
    return {"train_run_id": str(runs[0].info.run_id)} if runs else {}
