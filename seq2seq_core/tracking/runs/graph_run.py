"""The MLflow parent run of one run of the graph: found or opened by a key, and closed when its owner has ended.

The Prefect flow owns its graph run and passes the key to stages as ``S2S_GRAPH_RUN``. Under plain ``dvc repro`` the owner is the
``dvc`` process: each stage finds the parent run by the identity of its ``dvc`` ancestor, and the last stage or the next run
closes it.
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
from seq2seq_core.tracking.dvc_experiment import current_experiment, find_home
from seq2seq_core.tracking.mlflow.address import artifact_location, database_file
from seq2seq_core.tracking.mlflow.delivery import connect_and_deliver
from seq2seq_core.tracking.mlflow.patience import call_patiently
from seq2seq_core.tracking.mlflow.store import exclusive, short_reason, store_errors
from seq2seq_core.tracking.process_identity import ProcessIdentity, dvc_ancestor, this_process
from seq2seq_core.tracking.runs.experiment_page import NOTE_TAG, page_note, page_tags
from seq2seq_core.tracking.runs.graph_summary import EXPERIMENT_TAG, describe_graph_run
from seq2seq_core.tracking.runs.lineage import git_state
from seq2seq_core.tracking.runs.parameters import graph_parameters, log_parameters

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)
KEY_VARIABLE = "S2S_GRAPH_RUN"
UNFINISHED = ("RUNNING", "SCHEDULED")


@dataclass(frozen=True)
class GraphRunKey:
    """The identity of one run of the graph.

    Attributes:
        key: the value of the tag ``graph_run_key``.
        door: the command that runs the graph, for the run's name: ``retrain``, ``dvc repro``, ``dvc exp <name>`` or
            ``s2s <stage>``.
        owner: the process with which the graph run ends.
    """

    key: str
    door: str
    owner: ProcessIdentity


def current_graph_run(stage: str) -> GraphRunKey:
    """The graph run of this process.

    Args:
        stage: the stage in this process.
    """
    if key := os.environ.get(KEY_VARIABLE):
        return GraphRunKey(key, "retrain", this_process())
    dvc, experiment = dvc_ancestor(), current_experiment()
    if dvc is not None and experiment:  # the worker of DVC's queue runs several, one after the other
        return GraphRunKey(f"dvc:{dvc}:{experiment}", f"dvc exp {experiment}", dvc)
    if dvc is not None:
        return GraphRunKey(f"dvc:{dvc}", "dvc repro", dvc)
    process = this_process()
    return GraphRunKey(f"s2s:{process}", f"s2s {stage}", process)


@dataclass(frozen=True)
class OpenGraphRun:
    """A parent run that this process has opened.

    Attributes:
        run_id: MLflow's id of the run.
        experiment_id: MLflow's id of its experiment.
    """

    run_id: str
    experiment_id: str


def open_graph_run(key: str, paths: Paths, settings: Settings, tags: Mapping[str, str]) -> OpenGraphRun:
    """Finds or opens the parent run of a graph run that this process owns, and sends what earlier runs could not.

    Args:
        key: the flow run's id, which names the graph run. The stages' processes get it as ``S2S_GRAPH_RUN``.
        paths: the workspace, whose MLflow store holds the run.
        settings: ``runtime.experiment`` names the experiment, section ``register`` the model.
        tags: further tags of the run, such as the flow run's name.

    Raises:
        TrackingUnreachable: MLflow does not answer for ``runtime.tracking_wait_seconds``.
    """

    def work() -> OpenGraphRun:
        client = connect_and_deliver(paths, 0.0)
        with store_errors(paths):
            run_id = find_or_open_parent(client, GraphRunKey(key, "retrain", this_process()), paths, settings, tags)
            return OpenGraphRun(run_id, str(client.get_run(run_id).info.experiment_id))

    return call_patiently(work, settings.runtime.tracking_wait_seconds)


def close_graph_run(opened: OpenGraphRun, status: str, paths: Paths) -> None:
    """Describes and ends a parent run, after everything that its stages could not send; ending it twice is harmless.

    Args:
        opened: from :func:`open_graph_run`.
        status: ``FINISHED``, ``FAILED`` or ``KILLED``.
        paths: the workspace, whose MLflow store holds the run.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    client = connect_and_deliver(paths, 0.0)
    with store_errors(paths):
        close_parent(client, client.get_run(opened.run_id), status, paths)


def catch_up(paths: Paths, settings: Settings) -> None:
    """Sends what earlier runs could not, and closes the parent runs that they left open; opens no run.

    Args:
        paths: the workspace.
        settings: ``runtime.experiment`` names the experiment.

    Raises:
        TrackingUnreachable: MLflow does not answer.
    """
    database = database_file(paths)
    if database is None or database.is_file():
        client = connect_and_deliver(paths, 0.0)
        with store_errors(paths):
            close_abandoned(client, experiment_id(client, paths, settings), paths)


def experiment_id(client: MlflowClient, paths: Paths, settings: Settings) -> str:
    """The id of the configured experiment, which is created if it is missing and restored if it was deleted.

    Args:
        client: the MLflow client.
        paths: the workspace; a new experiment in a SQLite store keeps its artifacts beside the database.
        settings: ``runtime.experiment`` names the experiment.
    """
    name = settings.runtime.experiment
    found = client.get_experiment_by_name(name)
    if found is None:
        made = str(client.create_experiment(name, artifact_location=artifact_location(paths), tags=page_tags()))
        client.set_experiment_tag(made, NOTE_TAG, page_note(made))
        return made
    for tag in page_tags().keys() - found.tags.keys():  # made by hand, or by an earlier release
        client.set_experiment_tag(found.experiment_id, tag, page_tags()[tag])
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
    """Finds the parent run and sets it to running, or opens a new one; returns its MLflow id.

    Before it opens a new one, it closes the abandoned parent runs of this workspace.

    Args:
        client: the MLflow client.
        run: the graph run.
        paths: the workspace, a tag of the run.
        settings: ``runtime.experiment`` names the experiment, section ``register`` the model.
        tags: further tags of a new parent run.
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
    """Opens a parent run with all settings, so that MLflow compares them beside the scores; returns its MLflow id."""
    name = f"{settings.register_.model_name} {run.door} {time.strftime('%Y-%m-%d %H:%M')}"
    own = {
        "kind": "graph",
        "graph_run_key": run.key.replace("'", ""),
        "graph_run_owner": str(run.owner),
        "workspace": str(find_home(paths).root.resolve()),
        "model_name": settings.register_.model_name,
    }
    if dvc_experiment := current_experiment():
        own[EXPERIMENT_TAG] = dvc_experiment
    run_id = str(client.create_run(experiment, tags=common_tags(paths, run.door) | own | dict(tags), run_name=name).info.run_id)
    log_parameters(client, run_id, graph_parameters(settings))
    return run_id


def common_tags(paths: Paths, source: str) -> dict[str, str]:
    """The tags of every run: user, command, version and git commit.

    Args:
        paths: the workspace, for the git commit.
        source: the run's source on MLflow's page.
    """
    state = git_state(paths.root)
    tags = {"mlflow.user": _user(), "mlflow.source.name": source, "mlflow.source.type": "LOCAL", "s2s_version": __version__} | state
    return tags | ({"mlflow.source.git.commit": state["git_commit"]} if state else {})


def _user() -> str:
    """The user's name, or the user id where it has no name (in some containers)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def close_abandoned(client: MlflowClient, experiment: str, paths: Paths) -> None:
    """Closes the running parent runs of this workspace whose owner has ended, with the status of their stages' runs.

    Args:
        client: the MLflow client.
        experiment: the experiment's id.
        paths: the workspace; other workspaces' runs are left alone.
    """
    for parent in client.search_runs([experiment], "tags.kind = 'graph' and attributes.status = 'RUNNING'"):
        owner = ProcessIdentity.parse(parent.data.tags.get("graph_run_owner", ""))
        if parent.data.tags.get("workspace") == str(find_home(paths).root.resolve()) and owner is not None and not owner.is_alive():
            close_parent(client, parent, None, paths)


def close_parent(client: MlflowClient, parent: Run, status: str | None, paths: Paths) -> None:
    """Ends a parent run: marks unfinished stages' runs as killed, writes description and key metrics, stores the run's report.

    Args:
        client: the MLflow client.
        parent: the parent run.
        status: ``FINISHED``, ``FAILED`` or ``KILLED``; None for the status of the stages' runs.
        paths: the workspace, with the report of its last run.
    """
    children = child_runs(client, parent)
    for child in children:
        if child.info.status in UNFINISHED:
            client.set_terminated(child.info.run_id, "KILLED")
    children = child_runs(client, parent)
    describe_graph_run(client, parent, children)
    _store_report(client, parent, paths)
    # An abandoned graph run ended with its last stage, not now.
    ends = [child.info.end_time for child in children if child.info.end_time]
    client.set_terminated(parent.info.run_id, status or status_of(children), max(ends, default=None) if status is None else None)


def _store_report(client: MlflowClient, parent: Run, paths: Paths) -> None:
    """Stores the report of the run with its parent run, if it was written since; the run ends without it too."""
    from mlflow.exceptions import MlflowException

    report = paths.run_report
    try:
        if report.stat().st_mtime * 1000 >= parent.info.start_time:
            client.log_artifact(parent.info.run_id, str(report))
    except FileNotFoundError:
        return
    except (MlflowException, OSError) as error:
        logger.warning("the report of the run is not in MLflow: %s", short_reason(error))


def child_runs(client: MlflowClient, parent: Run) -> list[Run]:
    """The stages' runs below a parent run, oldest first."""
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    return list(client.search_runs([parent.info.experiment_id], query, order_by=["attributes.start_time ASC"]))


def status_of(children: list[Run]) -> str:
    """``FAILED`` or ``KILLED`` if the last run of any stage is so, else ``FINISHED``; earlier attempts do not count."""
    last = {child.data.tags.get("stage", ""): child.info.status for child in children}
    return next((status for status in ("FAILED", "KILLED") if status in last.values()), "FINISHED")
