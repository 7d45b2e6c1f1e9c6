"""The MLflow run in which a killed training resumes: its own run, if model, settings, data and code are the same."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.curve_journal import CurveJournal
from seq2seq_core.tracking.process_identity import ProcessIdentity, this_process

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)
RESUMABLE = ("RUNNING", "KILLED", "FAILED")


@dataclass(frozen=True)
class Continuation:
    """The MLflow run of an unfinished training.

    Attributes:
        run_id: MLflow's id of the run.
        store: address of the MLflow store.
        fingerprint: digest of the sections ``model`` and ``train``, of the tokenised data and of the code.
        owner: the training process, see :class:`ProcessIdentity`.
    """

    run_id: str
    store: str
    fingerprint: str
    owner: str


def state_file(paths: Paths) -> Path:
    """The file with the unfinished run."""
    return paths.training_state / "mlflow_run.json"


def journal_file(paths: Paths) -> Path:
    """The file with the points of its curves."""
    return paths.training_state / "mlflow_points.jsonl"


def training_fingerprint(settings: Settings, paths: Paths) -> str:
    """A digest of everything that decides a training's result: settings, data and code, as for the key of its state.

    Args:
        settings: the sections ``model`` and ``train``.
        paths: the workspace; reads ``data/tokenized/manifest.json``, which has the digests of the data.
    """
    from seq2seq_core.training.state.run_key import make_code_key

    manifest = paths.tokenized / "manifest.json"
    data = hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else ""
    code = make_code_key(settings.model, settings.train)
    parts = [settings.model.model_dump(mode="json"), settings.train.model_dump(mode="json"), data, code]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def find_unfinished(client: MlflowClient, settings: Settings, paths: Paths) -> Run | None:
    """The MLflow run in which this training began and which no live process owns, or None.

    Args:
        client: the MLflow client.
        settings: the settings of the training that starts.
        paths: the workspace; reads ``.s2s/train/mlflow_run.json``.
    """
    from mlflow.exceptions import MlflowException

    state = _read(paths)
    if state is None or (state.store, state.fingerprint) != (displayed_uri(paths), training_fingerprint(settings, paths)):
        return None
    owner = ProcessIdentity.parse(state.owner)
    if owner is not None and owner != this_process() and owner.is_alive():
        return None
    try:
        run = client.get_run(state.run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return run if run.info.status in RESUMABLE and run.info.lifecycle_stage == "active" else None


def _read(paths: Paths) -> Continuation | None:
    """The stored run; None where there is none, or the file is damaged."""
    try:
        return Continuation(**json.loads(state_file(paths).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        logger.warning("%s is damaged; the training starts a new MLflow run", state_file(paths))
        return None


def remember(run_id: str, settings: Settings, paths: Paths, *, is_new: bool) -> CurveJournal:
    """Stores the run, so that a killed training can resume in it; returns the journal of its curves.

    Args:
        run_id: MLflow's id of the run.
        settings: the settings of the training.
        paths: the workspace; writes ``.s2s/train/mlflow_run.json``.
        is_new: whether the run is new, so that the journal of an earlier run is removed.
    """
    if is_new:
        journal_file(paths).unlink(missing_ok=True)
    file = state_file(paths)
    state = Continuation(run_id, displayed_uri(paths), training_fingerprint(settings, paths), str(this_process()))
    atomic.write_text(file, json.dumps(asdict(state), indent=1) + "\n")
    return CurveJournal(journal_file(paths))


def forget(paths: Paths) -> None:
    """Removes the stored run and its journal after the training is finished."""
    state_file(paths).unlink(missing_ok=True)
    journal_file(paths).unlink(missing_ok=True)


def stored_marks(client: MlflowClient, run: Run) -> dict[str, int]:
    """The last step of each metric of a run in MLflow, by metric name."""
    return {name: max(point.step for point in client.get_metric_history(run.info.run_id, name)) for name in run.data.metrics}
