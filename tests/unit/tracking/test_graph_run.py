from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.evaluation.scores import find_metric
from seq2seq_core.tracking.mlflow.store import connect
from seq2seq_core.tracking.process_identity import ProcessIdentity, this_process
from seq2seq_core.tracking.runs.experiment_page import page_tags
from seq2seq_core.tracking.runs.graph_run import (
    GraphRunKey,
    close_graph_run,
    close_parent,
    current_graph_run,
    experiment_id,
    find_or_open_parent,
    open_graph_run,
    status_of,
)
from seq2seq_core.tracking.session import open_stage_recorder


@pytest.fixture
def ended_process() -> ProcessIdentity:
    with subprocess.Popen(["sleep", "60"]) as process:
        identity = ProcessIdentity.of(psutil.Process(process.pid))
        process.kill()
    return identity


def all_runs(paths: Paths, settings: Settings) -> list[Run]:
    client = connect(paths)
    return list(client.search_runs([experiment_id(client, paths, settings)], order_by=["attributes.start_time ASC"]))


def test_the_key_is_the_flows_else_the_dvc_commands_else_the_process(
    no_outer_run: None, monkeypatch: pytest.MonkeyPatch, ended_process: ProcessIdentity
) -> None:
    alone = current_graph_run("train")
    assert (alone.key, alone.door, alone.owner) == (f"s2s:{this_process()}", "s2s train", this_process())
    monkeypatch.setattr("seq2seq_core.tracking.runs.graph_run.dvc_ancestor", lambda: ended_process)
    below_dvc = current_graph_run("train")
    assert (below_dvc.key, below_dvc.door, below_dvc.owner) == (f"dvc:{ended_process}", "dvc repro", ended_process)
    monkeypatch.setenv("S2S_GRAPH_RUN", "flow-1")
    assert current_graph_run("train").key == "flow-1"


def test_a_flow_opens_one_parent_its_stages_are_nested_in_it_and_the_flow_closes_it(
    tracked_paths: Paths, tracked_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_graph_run("flow-1", tracked_paths, tracked_settings, {"prefect_flow_run_name": "brave-lion"})
    monkeypatch.setenv("S2S_GRAPH_RUN", "flow-1")
    monkeypatch.setenv("S2S_FLOW_RUN_ID", "the-flow-run")
    for stage in ("prepare", "register"):
        with open_stage_recorder(stage, tracked_settings, tracked_paths) as recorder:
            recorder.log_metrics({"test_exact_match": 0.875, "test.rows": 3.0})
            recorder.log_dataset(Path("data/raw/dates"), "dates/test", "abc", "testing")
    parent, prepare, register = all_runs(tracked_paths, tracked_settings)
    assert parent.info.status == "RUNNING", "the flow closes it, not the last stage"
    tracked_paths.run_report.parent.mkdir(exist_ok=True)
    tracked_paths.run_report.write_text("<p>the report</p>", encoding="utf-8")
    for _ in range(2):  # closing again is harmless
        close_graph_run(opened, "FINISHED", tracked_paths)
    parent = connect(tracked_paths).get_run(opened.run_id)
    assert parent.info.experiment_id == opened.experiment_id
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "dates prepare, register done"
    assert [file.path for file in connect(tracked_paths).list_artifacts(opened.run_id)] == ["run.html"]
    later = open_graph_run("flow-2", tracked_paths, tracked_settings, {})
    os.utime(tracked_paths.run_report, (1.0, 1.0))
    close_graph_run(later, "FINISHED", tracked_paths)
    assert not connect(tracked_paths).list_artifacts(later.run_id), "the report of an earlier run"
    assert (parent.data.params["train.max_steps"], parent.data.params["evaluate.beam_size"]) == (
        str(tracked_settings.train.max_steps), str(tracked_settings.evaluate.beam_size),
    )  # fmt: skip
    assert parent.data.tags["prefect_flow_run_name"] == "brave-lion"
    assert parent.data.metrics == {"test_exact_match": 0.875}
    assert parent.inputs is not None
    assert [given.dataset.name for given in parent.inputs.dataset_inputs] == ["dates/test"]
    for run, stage in ((prepare, "prepare"), (register, "register")):
        assert (run.info.run_name, run.info.status) == (stage, "FINISHED")
        assert run.data.tags["mlflow.parentRunId"] == opened.run_id
        assert run.data.tags["prefect_flow_run_id"] == "the-flow-run"


def test_the_test_scores_stand_beside_the_curves_of_the_training_that_made_the_model(
    tracked_paths: Paths, tracked_settings: Settings, open_parent: Callable[[str, ProcessIdentity], str]
) -> None:
    client, owner = connect(tracked_paths), this_process()
    trained, evaluated = open_parent("one", owner), open_parent("two", owner)
    runs = {digest: add_stage(client, trained, "train", "FINISHED") for digest in ("abc", "other")}
    for digest, run_id in runs.items():
        client.set_tag(run_id, "bundle_digest", digest)
    evaluate = add_stage(client, evaluated, "evaluate", "FINISHED")
    client.set_tag(evaluate, "trained_bundle_digest", "abc")
    client.log_metric(evaluate, "test_exact_match", 0.75)
    close_parent(client, client.get_run(evaluated), None, tracked_paths)
    assert client.get_run(runs["abc"]).data.metrics == client.get_run(evaluated).data.metrics == {"test_exact_match": 0.75}
    assert client.get_run(runs["other"]).data.metrics == {}


def test_an_experiment_that_was_made_by_hand_opens_in_model_training_too(tracked_paths: Paths, tracked_settings: Settings) -> None:
    client = connect(tracked_paths)
    made = client.create_experiment(tracked_settings.runtime.experiment)
    assert experiment_id(client, tracked_paths, tracked_settings) == made
    assert client.get_experiment(made).tags == page_tags()


def test_the_view_of_a_new_experiment_has_columns_that_its_runs_have(tracked_paths: Paths, tracked_settings: Settings) -> None:
    client = connect(tracked_paths)
    opened = open_graph_run("flow-1", tracked_paths, tracked_settings, {})
    tags = client.get_experiment(opened.experiment_id).tags
    columns = [column.split(".", 1) for column in json.loads(tags["mlflow.sharedViewState.pipeline"])["selectedColumns"]]
    parameters = {name.strip("`") for kind, name in columns if kind == "params"}
    metrics = [name.strip("`").removeprefix("test_") for kind, name in columns if kind == "metrics"]
    assert parameters
    assert parameters <= client.get_run(opened.run_id).data.params.keys()
    assert [find_metric(name).name for name in metrics] == metrics != []
    address = f"#/experiments/{opened.experiment_id}/runs?viewStateShareKey=pipeline&workflowType=machine_learning"
    assert f"]({address})" in tags["mlflow.note.content"]


def test_a_flow_whose_stages_were_all_fresh_says_so(tracked_paths: Paths, tracked_settings: Settings) -> None:
    opened = open_graph_run("flow-2", tracked_paths, tracked_settings, {})
    close_graph_run(opened, "FINISHED", tracked_paths)
    note = connect(tracked_paths).get_run(opened.run_id).data.tags["mlflow.note.content"]
    assert note == "Nothing ran: every stage was up to date.\n"


@pytest.fixture
def open_parent(tracked_paths: Paths, tracked_settings: Settings) -> Callable[[str, ProcessIdentity], str]:
    def open_parent(key: str, owner: ProcessIdentity) -> str:
        run = GraphRunKey(key, "dvc repro", owner)
        return find_or_open_parent(connect(tracked_paths), run, tracked_paths, tracked_settings, {})

    return open_parent


def add_stage(client: MlflowClient, parent_id: str, stage: str, status: str) -> str:
    parent = client.get_run(parent_id)
    tags = {"mlflow.parentRunId": parent_id, "stage": stage}
    run = client.create_run(parent.info.experiment_id, tags=tags, run_name=stage)
    if status != "RUNNING":
        client.set_terminated(run.info.run_id, status)
    return str(run.info.run_id)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([("prepare", "FINISHED"), ("train", "FINISHED")], "FINISHED"),
        ([("prepare", "FINISHED"), ("train", "FAILED")], "FAILED"),
        ([("train", "FAILED"), ("train", "FINISHED")], "FINISHED"),
        ([("prepare", "FINISHED"), ("train", "RUNNING")], "KILLED"),
    ],
)
def test_the_next_run_closes_a_parent_whose_owner_is_gone_as_its_stages_say(
    tracked_paths: Paths,
    open_parent: Callable[[str, ProcessIdentity], str],
    ended_process: ProcessIdentity,
    stages: list[tuple[str, str]],
    expected: str,
) -> None:
    client = connect(tracked_paths)
    abandoned = open_parent("first", ended_process)
    children = [add_stage(client, abandoned, *stage) for stage in stages]
    assert client.get_run(abandoned).info.status == "RUNNING"
    alive = open_parent("second", this_process())
    assert client.get_run(alive).info.status == "RUNNING"
    closed = client.get_run(abandoned)
    ends = [client.get_run(child).info.end_time for child in children]
    assert (closed.info.status, closed.info.end_time) == (expected, max(ends))
    open_parent("third", this_process())
    assert client.get_run(alive).info.status == "RUNNING", "its owner is alive"


def test_another_workspaces_abandoned_run_is_left_alone(
    tracked_paths: Paths, open_parent: Callable[[str, ProcessIdentity], str], ended_process: ProcessIdentity
) -> None:
    client = connect(tracked_paths)
    foreign = open_parent("first", ended_process)
    client.set_tag(foreign, "workspace", "/elsewhere")
    open_parent("second", this_process())
    assert client.get_run(foreign).info.status == "RUNNING"


def test_a_closed_parent_runs_again_when_another_stage_of_it_starts(
    tracked_paths: Paths, open_parent: Callable[[str, ProcessIdentity], str]
) -> None:
    client = connect(tracked_paths)
    parent = open_parent("first", this_process())
    client.set_terminated(parent, "FAILED")
    assert open_parent("first", this_process()) == parent
    assert client.get_run(parent).info.status == "RUNNING"


def test_a_deleted_experiment_is_restored_with_a_warning(
    tracked_paths: Paths, tracked_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(tracked_paths)
    first = experiment_id(client, tracked_paths, tracked_settings)
    client.delete_experiment(first)
    assert experiment_id(client, tracked_paths, tracked_settings) == first
    assert caplog.messages == ["the MLflow experiment 'seq2seq-flows' had been deleted; it is restored"]


def test_a_user_without_a_name_is_a_number(
    tracked_paths: Paths, open_parent: Callable[[str, ProcessIdentity], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_name() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", no_name)
    tags = connect(tracked_paths).get_run(open_parent("first", this_process())).data.tags
    assert tags["mlflow.user"] == str(os.getuid())


def test_no_stage_at_all_is_a_finished_run() -> None:
    assert status_of([]) == "FINISHED"
