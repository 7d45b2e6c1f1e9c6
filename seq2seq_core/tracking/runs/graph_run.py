"""The parent run of one run of the whole graph: found or opened by a key, closed by whoever notices that its owner is gone.

Under the Prefect flow the flow owns the graph run and names it by ``S2S_GRAPH_RUN``. Under bare ``dvc repro`` no process of ours
does: each stage finds the parent by the identity of its ``dvc`` ancestor, and the last stage or the next run closes it.
"""

from __future__ import annotations

import getpass
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seq2seq_core import __version__
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.tracking.mlflow.store import artifact_location, connect, exclusive, store_errors
from seq2seq_core.tracking.process_identity import ProcessIdentity, dvc_ancestor, this_process
from seq2seq_core.tracking.runs.graph_summary import describe_graph_run
from seq2seq_core.tracking.runs.lineage import git_state

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)
KEY_VARIABLE = "S2S_GRAPH_RUN"
UNFINISHED = ("RUNNING", "SCHEDULED")
_EXPERIMENT_TAGS = {
    # MLflow's page opens an experiment of this kind on its runs and curves, not on the traces of language model calls.
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.note.content": (
        "Each row is one run of the pipeline; the stages' runs are nested in it. The test scores stand on the pipeline's run, the "
        "curves on its stage `train`, plots and the worst examples on `evaluate`. The tag `bundle_digest` names the model."
    ),
}
_OPENED: dict[str, tuple[Paths, Settings]] = {}


@dataclass(frozen=True)
class GraphRunKey:
    """What tells one run of the graph from another.

    Attributes:
        key: the value of the tag ``graph_run_key``.
        door: how the graph is run, for the run's name: ``retrain``, ``dvc repro`` or ``s2s <stage>``.
        owner: the process without which the graph run is over.
    """

    key: str
    door: str
    owner: ProcessIdentity


def current_graph_run(stage: str) -> GraphRunKey:
    """The graph run that this process belongs to.

    Args:
        stage: the stage that runs in this process.
    """
    if key := os.environ.get(KEY_VARIABLE):
        return GraphRunKey(key, "retrain", this_process())
    dvc = dvc_ancestor()
    if dvc is not None:
        return GraphRunKey(f"dvc:{dvc}", "dvc repro", dvc)
    process = this_process()
    return GraphRunKey(f"s2s:{process}", f"s2s {stage}", process)


def open_graph_run(key: str, paths: Paths, settings: Settings, tags: Mapping[str, str]) -> str:
    """The MLflow id of the parent run for a graph run that this process owns, opened where there is none.

    Args:
        key: names the graph run; the flow's run id. The stages' processes get it as ``S2S_GRAPH_RUN``.
        paths: the workspace.
        settings: names the experiment and the model.
        tags: further tags of the run, such as the flow's run name.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    client = connect(paths)
    _OPENED[key] = (paths, settings)
    with store_errors(paths):
        return find_or_open_parent(client, GraphRunKey(key, "retrain", this_process()), paths, settings, tags)


def close_graph_run(key: str, status: str) -> None:
    """Ends the parent run of a graph run that :func:`open_graph_run` opened in this process, with a description of what happened.

    Args:
        key: as given to :func:`open_graph_run`.
        status: ``FINISHED``, ``FAILED`` or ``KILLED``.

    Raises:
        TrackingUnreachable: MLflow does not answer.
        KeyError: no such graph run was opened in this process.
    """
    paths, settings = _OPENED.pop(key)
    client = connect(paths)
    with store_errors(paths):
        parent = find_parent(client, experiment_id(client, paths, settings), key)
        if parent is not None:
            close_parent(client, parent, status)


def experiment_id(client: MlflowClient, paths: Paths, settings: Settings) -> str:
    """The id of the configured experiment, created where there is none and restored where it was deleted.

    Args:
        client: of the store.
        paths: the workspace.
        settings: ``runtime.experiment`` names it.
    """
    name = settings.runtime.experiment
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=artifact_location(paths), tags=_EXPERIMENT_TAGS))
    if found.lifecycle_stage == "deleted":
        logger.warning("the MLflow experiment %r had been deleted; it is restored", name)
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def find_parent(client: MlflowClient, experiment: str, key: str) -> Run | None:
    """The parent run of a graph run, or None."""
    quoted = key.replace("'", "")
    runs = client.search_runs([experiment], f"tags.graph_run_key = '{quoted}' and tags.kind = 'graph'", max_results=1)
    return runs[0] if runs else None


def find_or_open_parent(client: MlflowClient, run: GraphRunKey, paths: Paths, settings: Settings, tags: Mapping[str, str]) -> str:
    """The MLflow id of the parent run, which is running afterwards; abandoned ones of this workspace are closed.

    Args:
        client: of the store.
        run: the graph run.
        paths: the workspace.
        settings: names the experiment and the model.
        tags: further tags for a new parent.
    """
    experiment = experiment_id(client, paths, settings)
    with exclusive(paths):
        parent = find_parent(client, experiment, run.key)
        if parent is not None:
            if parent.info.status != "RUNNING":
                client.update_run(parent.info.run_id, status="RUNNING")
            return str(parent.info.run_id)
        close_abandoned(client, experiment, paths)
        return _open_parent(client, experiment, run, paths, settings, tags)


def _open_parent(
    client: MlflowClient, experiment: str, run: GraphRunKey, paths: Paths, settings: Settings, tags: Mapping[str, str]
) -> str:
    """The id of a new parent run."""
    name = f"{run.door} {time.strftime('%Y-%m-%d %H:%M')}"
    own = {
        "kind": "graph",
        "graph_run_key": run.key.replace("'", ""),
        "graph_run_owner": str(run.owner),
        "workspace": str(paths.root.resolve()),
        "model_name": settings.register_.model_name,
    }
    return str(client.create_run(experiment, tags=common_tags(paths, run.door) | own | dict(tags), run_name=name).info.run_id)


def common_tags(paths: Paths, source: str) -> dict[str, str]:
    """Tags of every run: who, by which command, of which version and commit.

    Args:
        paths: the workspace.
        source: what MLflow's page shows as the run's source.
    """
    state = git_state(paths.root)
    tags = {"mlflow.user": _user(), "mlflow.source.name": source, "mlflow.source.type": "LOCAL", "s2s_version": __version__} | state
    return tags | ({"mlflow.source.git.commit": state["git_commit"]} if state else {})


def _user() -> str:
    """The user's name; a container may have none for the user's number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def close_abandoned(client: MlflowClient, experiment: str, paths: Paths) -> None:
    """Closes the running parents of this workspace whose owner is gone, as their stages' runs say.

    Args:
        client: of the store.
        experiment: its id.
        paths: the workspace.
    """
    for parent in client.search_runs([experiment], "tags.kind = 'graph' and attributes.status = 'RUNNING'"):
        owner = ProcessIdentity.parse(parent.data.tags.get("graph_run_owner", ""))
        if parent.data.tags.get("workspace") == str(paths.root.resolve()) and owner is not None and not owner.is_alive():
            close_parent(client, parent, None)


def close_parent(client: MlflowClient, parent: Run, status: str | None) -> None:
    """Ends a parent run: stages that were killed without a word are marked so, the description and key metrics are written.

    Args:
        client: of the store.
        parent: the parent run.
        status: ``FINISHED``, ``FAILED`` or ``KILLED``; None: as the stages' runs say.
    """
    children = child_runs(client, parent)
    for child in children:
        if child.info.status in UNFINISHED:
            client.set_terminated(child.info.run_id, "KILLED")
    children = child_runs(client, parent)
    describe_graph_run(client, parent, children)
    # A graph run that nobody closed in time ended when its last stage did, not now.
    ends = [child.info.end_time for child in children if child.info.end_time]
    client.set_terminated(parent.info.run_id, status or status_of(children), max(ends, default=None) if status is None else None)


def child_runs(client: MlflowClient, parent: Run) -> list[Run]:
    """The stages' runs below a parent run, oldest first."""
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    return list(client.search_runs([parent.info.experiment_id], query, order_by=["attributes.start_time ASC"]))


def status_of(children: list[Run]) -> str:
    """``FAILED`` or ``KILLED`` if the last run of any stage is, else ``FINISHED``; of a retried stage only the last run counts."""
    last = {child.data.tags.get("stage", ""): child.info.status for child in children}
    return next((status for status in ("FAILED", "KILLED") if status in last.values()), "FINISHED")
