from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run

from seq2seq_core import __version__
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import Interrupted, UserError
from seq2seq_core.stage_table import LEARNING_CURVE, STAGES, Stage
from seq2seq_core.tracking.mlflow.continuation import journal_file, state_file
from seq2seq_core.tracking.mlflow.delivery import connect_and_deliver
from seq2seq_core.tracking.mlflow.store import connect
from seq2seq_core.tracking.runs.graph_run import experiment_id
from seq2seq_core.tracking.runs.parameters import stage_parameters
from seq2seq_core.tracking.session import active_run_id, open_stage_recorder

GRAPH = """
stages:
  prepare: {cmd: s2s prepare, outs: [data/prepared]}
  register: {cmd: s2s register, deps: [data/prepared/test.jsonl], outs: [reports/registration.json: {cache: false}]}
"""


def runs_of(paths: Paths, settings: Settings, stage: str) -> list[Run]:
    client = connect(paths)
    found = client.search_runs([experiment_id(client, paths, settings)], order_by=["attributes.start_time ASC"])
    return [run for run in found if run.data.tags.get("stage", "parent") == stage]


def curve(paths: Paths, run: Run, name: str) -> list[int]:
    return [point.step for point in connect(paths).get_metric_history(run.info.run_id, name)]


def test_a_stages_run_is_nested_below_a_parent_and_carries_its_settings(tracked_paths: Paths, tracked_settings: Settings) -> None:
    with open_stage_recorder("evaluate", tracked_settings, tracked_paths):
        inside = active_run_id()
    assert active_run_id() is None
    (run,) = runs_of(tracked_paths, tracked_settings, "evaluate")
    (parent,) = runs_of(tracked_paths, tracked_settings, "parent")
    assert inside == run.info.run_id
    assert run.info.status == parent.info.status == "FINISHED"
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.data.tags["s2s_version"] == __version__
    assert run.data.params["evaluate.beam_size"] == "2"
    assert not [name for name in run.data.params if not name.startswith("evaluate.")]
    assert parent.info.run_name == "dates evaluate done"


def test_every_stage_logs_the_sections_that_concern_it_and_none_logs_the_machine(tracked_settings: Settings) -> None:
    for stage in (*STAGES, LEARNING_CURVE):
        logged = {name.partition(".")[0] for name in stage_parameters(stage.name, tracked_settings)}
        assert logged == set(stage.sections)
        assert "runtime" not in logged
    assert stage_parameters("validate", tracked_settings)["validate.min_rows.limit"] == 1


def test_each_phase_of_training_is_a_list_of_parameters_of_its_own(tracked_settings: Settings) -> None:
    values = tracked_settings.model_dump() | {"train": {"phases": [{"objective": "likelihood", "max_steps": 7}]}}
    names = {name.removesuffix("_"): value for name, value in values.items()}
    parameters = stage_parameters("train", parse_settings(names, "test"))
    assert (parameters["train.phases.0.objective"], parameters["train.phases.0.max_steps"]) == ("likelihood", 7)


@pytest.mark.parametrize(
    ("error", "status", "failure"),
    [
        (UserError("too small"), "FAILED", "UserError: too small"),
        (ZeroDivisionError("oh"), "FAILED", "ZeroDivisionError: oh"),
        (Interrupted("saved"), "KILLED", None),
        (KeyboardInterrupt(), "KILLED", None),
        (SystemExit(3), "FAILED", "SystemExit: 3"),
        (SystemExit(0), "FINISHED", None),
    ],
)
def test_a_stages_run_and_its_parent_end_as_the_stage_does(
    tracked_paths: Paths, tracked_settings: Settings, error: BaseException, status: str, failure: str | None
) -> None:
    with pytest.raises(type(error)), open_stage_recorder("prepare", tracked_settings, tracked_paths) as recorder:
        recorder.set_tags({"note": "kept"})
        raise error
    (run,) = runs_of(tracked_paths, tracked_settings, "prepare")
    (parent,) = runs_of(tracked_paths, tracked_settings, "parent")
    assert run.info.status == parent.info.status == status
    assert run.data.tags["note"] == "kept"
    assert run.data.tags.get("failure") == failure
    note = f"**Failed**\n\n```text\n{failure}\n```\n" if failure else None
    assert run.data.tags.get("mlflow.note.content") == note


def test_below_dvc_only_the_last_stage_or_a_failure_closes_the_parent(
    tracked_paths: Paths, tracked_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2seq_core.tracking.process_identity import ProcessIdentity

    dvc = ProcessIdentity("elsewhere", 1, 1)
    monkeypatch.setattr("seq2seq_core.tracking.runs.graph_run.dvc_ancestor", lambda: dvc)
    ends = []
    (tracked_paths.root / "dvc.yaml").write_text(GRAPH, encoding="utf-8")
    for stage in ("prepare", "register"):
        with open_stage_recorder(stage, tracked_settings, tracked_paths):
            pass
        (parent,) = runs_of(tracked_paths, tracked_settings, "parent")
        ends.append(parent.info.status)
    with pytest.raises(UserError), open_stage_recorder("prepare", tracked_settings, tracked_paths):
        raise UserError("no")
    (parent,) = runs_of(tracked_paths, tracked_settings, "parent")
    assert [*ends, parent.info.status] == ["RUNNING", "FINISHED", "FAILED"]
    assert parent.info.run_name == "dates failed: prepare"
    assert "```text\nUserError: no\n```" in parent.data.tags["mlflow.note.content"]


def test_without_mlflow_the_records_go_to_a_local_file(
    tmp_path: Path, tracked_settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("seq2seq_core.tracking.session.find_spec", lambda name: None)
    paths = Paths(tmp_path)
    with (
        caplog.at_level(logging.INFO, "seq2seq_core"),
        open_stage_recorder("train", tracked_settings, paths) as recorder,
    ):
        recorder.log_params({"train.seed": 1})
        recorder.log_metrics({"loss": 0.5}, 3)
        recorder.set_tags({"a": "b"})
        recorder.log_text("text", "a.md")
        recorder.log_file(Path("plot.png"), "plots")
        assert not recorder.keeps_files
        recorder.log_dataset(Path("data"), "dates", "abc", "training")
        recorder.flush()
    file = tmp_path / ".s2s" / "logs" / "train.records.jsonl"
    assert caplog.messages == [f"mlflow is not installed: what train records goes to {file}"]
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert [record.pop("time") > 0 for record in records] == [True] * 6
    assert records == [
        {"kind": "params", "value": {"train.seed": "1"}},
        {"kind": "metrics", "value": {"loss": 0.5}, "step": 3},
        {"kind": "tags", "value": {"a": "b"}},
        {"kind": "text", "value": "text", "name": "a.md"},
        {"kind": "file", "value": "plot.png", "folder": "plots"},
        {"kind": "dataset", "value": "data", "name": "dates", "digest": "abc", "context": "training"},
    ]


def train(paths: Paths, settings: Settings, steps: range, error: Exception | None = None) -> None:
    with open_stage_recorder("train", settings, paths) as recorder:
        for step in steps:
            recorder.log_metrics({"train_loss": 1.0 / (step + 1)}, step)
        recorder.flush()
        if error is not None:
            raise error


def test_an_interrupted_training_goes_on_in_the_same_run_and_logs_no_step_twice(
    tracked_paths: Paths, tracked_settings: Settings
) -> None:
    with pytest.raises(Interrupted):
        train(tracked_paths, tracked_settings, range(10), Interrupted("saved"))
    with pytest.raises(ZeroDivisionError):
        train(tracked_paths, tracked_settings, range(5, 15), ZeroDivisionError())
    train(tracked_paths, tracked_settings, range(12, 20))
    (run,) = runs_of(tracked_paths, tracked_settings, "train")
    assert run.info.status == "FINISHED"
    assert run.data.tags["resumed"] == "2"
    assert curve(tracked_paths, run, "train_loss") == list(range(20))
    assert not state_file(tracked_paths).exists()
    assert not journal_file(tracked_paths).exists()
    train(tracked_paths, tracked_settings, range(3))
    assert len(runs_of(tracked_paths, tracked_settings, "train")) == 2, "a finished training is not resumed"


@pytest.mark.parametrize("change", ["settings", "data", "code", "deleted run", "damaged note", "another store"])
def test_another_training_gets_a_run_of_its_own(
    tracked_paths: Paths, tracked_settings: Settings, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted):
        train(tracked_paths, tracked_settings, range(10), Interrupted("saved"))
    (first,) = runs_of(tracked_paths, tracked_settings, "train")
    settings = tracked_settings
    match change:
        case "settings":
            settings = settings.model_copy(update={"train": settings.train.model_copy(update={"seed": 7})})
        case "data":
            tracked_paths.tokenized.mkdir(parents=True)
            (tracked_paths.tokenized / "manifest.json").write_text("{}")
        case "code":
            monkeypatch.setattr("seq2seq_core.training.state.run_key.make_code_key", lambda *_: "0123abcd")
        case "deleted run":
            connect(tracked_paths).delete_run(first.info.run_id)
        case "damaged note":
            state_file(tracked_paths).write_text("{")
        case "another store":
            note = json.loads(state_file(tracked_paths).read_text())
            state_file(tracked_paths).write_text(json.dumps(note | {"store": "http://elsewhere"}))
    train(tracked_paths, settings, range(3))
    second = [run for run in runs_of(tracked_paths, settings, "train") if run.info.run_id != first.info.run_id]
    assert [curve(tracked_paths, run, "train_loss") for run in second] == [[0, 1, 2]]


def test_a_training_from_scratch_gets_a_run_of_its_own_with_every_point(tracked_paths: Paths, tracked_settings: Settings) -> None:
    with pytest.raises(Interrupted):
        train(tracked_paths, tracked_settings, range(10), Interrupted("saved"))
    with open_stage_recorder("train", tracked_settings, tracked_paths, goes_on=False) as recorder:
        recorder.log_metrics({"train_loss": 0.5}, 3)
    first, second = runs_of(tracked_paths, tracked_settings, "train")
    assert (curve(tracked_paths, first, "train_loss"), curve(tracked_paths, second, "train_loss")) == (list(range(10)), [3])


def test_the_machine_is_sampled_during_training_and_a_resumed_one_goes_on_behind(
    tracked_paths: Paths, tracked_settings: Settings
) -> None:
    def run(seconds: float, stage: str) -> None:
        runtime = tracked_settings.runtime.model_copy(update={"system_metrics_seconds": seconds})
        sampled = tracked_settings.model_copy(update={"runtime": runtime})
        with contextlib.suppress(Interrupted), open_stage_recorder(stage, sampled, tracked_paths) as recorder:
            send = recorder.send_points  # type: ignore[attr-defined]
            arrived = threading.Event()

            def send_and_tell(*point: Any) -> None:
                send(*point)
                arrived.set()

            recorder.send_points = send_and_tell  # type: ignore[attr-defined]
            assert arrived.wait(300 if seconds and stage == "train" else 0.1) == bool(seconds and stage == "train")
            raise Interrupted("saved")

    for seconds, stage in ((0.01, "evaluate"), (0.0, "train"), (0.01, "train"), (0.01, "train")):
        run(seconds, stage)
    (evaluation,) = runs_of(tracked_paths, tracked_settings, "evaluate")
    assert not [name for name in evaluation.data.metrics if name.startswith("system/")]
    (training,) = runs_of(tracked_paths, tracked_settings, "train")
    names = {name for name in training.data.metrics if name.startswith("system/")}
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= names
    steps = curve(tracked_paths, training, "system/cpu_utilization_percentage")
    assert steps == list(range(len(steps)))
    assert len(steps) >= 2


def test_points_that_mlflow_has_and_the_journal_lost_are_not_logged_twice(tracked_paths: Paths, tracked_settings: Settings) -> None:
    with pytest.raises(Interrupted):
        train(tracked_paths, tracked_settings, range(10), Interrupted("saved"))
    journal_file(tracked_paths).unlink()
    train(tracked_paths, tracked_settings, range(5, 15))
    (run,) = runs_of(tracked_paths, tracked_settings, "train")
    assert curve(tracked_paths, run, "train_loss") == list(range(15))


def test_a_run_whose_process_is_alive_is_not_taken_over(tracked_paths: Paths, tracked_settings: Settings) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        import psutil

        from seq2seq_core.tracking.process_identity import ProcessIdentity

        with pytest.raises(Interrupted):
            train(tracked_paths, tracked_settings, range(2), Interrupted("saved"))
        note = json.loads(state_file(tracked_paths).read_text())
        owner = str(ProcessIdentity.of(psutil.Process(other.pid)))
        state_file(tracked_paths).write_text(json.dumps(note | {"owner": owner}))
        train(tracked_paths, tracked_settings, range(2))
        other.kill()
    assert len(runs_of(tracked_paths, tracked_settings, "train")) == 2


KILLED_TRAINING = """
import os, signal, sys
from pathlib import Path
from typing import Any
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.tracking.session import open_stage_recorder
settings = parse_settings({"corpus": {"path": "data/raw/dates", "files": {"train": ["train.tsv"]}},
    "register": {"model_name": "dates"}, "evaluate": {"beam_size": 2}, "runtime": {"device": "cpu", "progress": "plain"}}, "test")
with open_stage_recorder("train", settings, Paths(Path(sys.argv[1]))) as recorder:
    for step in range(5):
        recorder.log_metrics({"train_loss": 1.0}, step)
    recorder.flush()
    for step in range(5, 30):
        recorder.log_metrics({"train_loss": 1.0}, step)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.proof
@pytest.mark.slow
def test_a_killed_training_loses_no_point_although_the_last_ones_were_still_unsent(
    tracked_paths: Paths, tracked_settings: Settings
) -> None:
    connect(tracked_paths)
    done = subprocess.run([sys.executable, "-c", KILLED_TRAINING, str(tracked_paths.root)], env=dict(os.environ), check=False)
    assert done.returncode == -signal.SIGKILL
    (killed,) = runs_of(tracked_paths, tracked_settings, "train")
    assert killed.info.status == "RUNNING"
    train(tracked_paths, tracked_settings, range(20, 40))
    (run,) = runs_of(tracked_paths, tracked_settings, "train")
    assert curve(tracked_paths, run, "train_loss") == list(range(40))
    old_parent, new_parent = runs_of(tracked_paths, tracked_settings, "parent")
    assert old_parent.info.status == "KILLED"
    assert (run.info.status, new_parent.info.status) == ("FINISHED", "FINISHED")
    assert run.data.tags["mlflow.parentRunId"] == new_parent.info.run_id


def test_the_end_of_a_stage_that_a_lost_store_did_not_hear_of_follows_with_the_next_run(
    tracked_paths: Paths, tracked_settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from mlflow import MlflowClient

    def lost(*arguments: object, **options: object) -> None:
        raise ConnectionError("[Errno 111] Connection refused")

    with open_stage_recorder("prepare", tracked_settings, tracked_paths) as recorder:
        monkeypatch.setattr(recorder, "patience_seconds", 0.1)
        monkeypatch.setattr(MlflowClient, "set_terminated", lost)
    assert caplog.messages == [
        "MLflow answers, but does not take the end of the run (FINISHED) ([Errno 111] Connection refused); it is kept",
        "MLflow has not taken everything; what it misses follows with the next run: the end of the run (FINISHED)",
    ]
    monkeypatch.undo()
    (unfinished,) = runs_of(tracked_paths, tracked_settings, "prepare")
    connect_and_deliver(tracked_paths, 0.0)
    (run,) = runs_of(tracked_paths, tracked_settings, "prepare")
    assert (unfinished.info.status, run.info.status) == ("RUNNING", "FINISHED")


def test_a_stage_and_its_parent_end_although_mlflow_does_not_take_one_record(
    tracked_paths: Paths, tracked_settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    def refuse(*arguments: object, **options: object) -> None:
        raise MlflowException("API request to http://mlflow failed with exception (too many 500 error responses)")

    with open_stage_recorder("evaluate", tracked_settings, tracked_paths) as recorder:
        monkeypatch.setattr(MlflowClient, "log_text", refuse)
        recorder.log_text("a table", "table.md")
        recorder.log_metrics({"bleu": 0.5})
    monkeypatch.undo()
    (run,) = runs_of(tracked_paths, tracked_settings, "evaluate")
    (parent,) = runs_of(tracked_paths, tracked_settings, "parent")
    assert (run.info.status, parent.info.status, run.data.metrics["bleu"]) == ("FINISHED", "FINISHED", 0.5)
    refused, missing = caplog.messages
    assert refused.startswith("MLflow answers, but does not take text table.md (")
    assert missing == "MLflow has not taken everything; what it misses follows with the next run: text table.md"
    client = connect_and_deliver(tracked_paths, 0.0)
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["table.md"]
    assert client.get_run(run.info.run_id).info.status == "FINISHED"


def test_each_last_stage_of_a_branch_ends_the_parent_and_the_next_one_opens_it_again(
    tracked_paths: Paths, tracked_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2seq_core.tracking.process_identity import ProcessIdentity

    monkeypatch.setattr("seq2seq_core.tracking.runs.graph_run.dvc_ancestor", lambda: ProcessIdentity("elsewhere", 1, 1))
    branches = GRAPH + "  evaluate: {cmd: s2s evaluate, deps: [data/prepared]}\n"
    (tracked_paths.root / "dvc.yaml").write_text(branches, encoding="utf-8")
    statuses = []
    for stage in ("prepare", "evaluate", "register"):
        with open_stage_recorder(stage, tracked_settings, tracked_paths):
            statuses += [run.info.status for run in runs_of(tracked_paths, tracked_settings, "parent")]
        statuses += [run.info.status for run in runs_of(tracked_paths, tracked_settings, "parent")]
    assert statuses == ["RUNNING", "RUNNING", "RUNNING", "FINISHED", "RUNNING", "FINISHED"]


def test_a_stage_that_is_not_tracked_has_no_run(
    tracked_paths: Paths, tracked_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2seq_core.stage_table.STAGES", (Stage("prepare", ("prepare",), "", is_tracked=False),))
    with open_stage_recorder("prepare", tracked_settings, tracked_paths) as recorder:
        recorder.log_metrics({"rows": 1.0})
        assert active_run_id() is None
    assert runs_of(tracked_paths, tracked_settings, "parent") == []
