from __future__ import annotations

import errno
import json
import signal
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import retraining
from flows.dvc.command import Dvc
from flows.reports.summary import RetrainSummary
from seq2seq_core.errors import ConfigError, CorpusError, TrackingUnreachable, UserError, WorkspaceBusy

from .conftest import CHAIN, FAN_OUT, FLOW, ToyWorkspace, processes_with, retrain_here
from .waiting import wait_until
from .webhook_server import webhook_server

Make = Callable[..., ToyWorkspace]
Retrain = Callable[..., RetrainSummary]
Start = Callable[[ToyWorkspace], subprocess.Popen[bytes]]


def states(summary: RetrainSummary) -> dict[str, str]:
    return {report.stage: report.state for report in summary.stages}


def last_flow_run() -> tuple[Any, dict[str, Any]]:
    """The newest flow run and its task runs by name, as the server has them."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.sorting import FlowRunSort
    from prefect.events.worker import EventsWorker

    EventsWorker.drain_all(timeout=10)
    with get_client(sync_client=True) as client:
        started = FlowRunFilter.model_validate({"start_time": {"is_null_": False}})
        flow_run = client.read_flow_runs(flow_run_filter=started, sort=FlowRunSort.START_TIME_DESC, limit=1)[0]
        runs: dict[str, Any] = {}

        def are_final() -> bool:
            found = client.read_task_runs(flow_run_filter=FlowRunFilter.model_validate({"id": {"any_": [flow_run.id]}}))
            runs.update({run.name: run for run in found})
            return all(run.state is not None and run.state.is_final() for run in found)

        wait_until(are_final, "final states of all task runs on the server")
        return flow_run, runs


@pytest.mark.slow
def test_independent_stages_run_side_by_side_and_a_second_run_does_nothing(make_workspace: Make, retrain: Retrain) -> None:
    workspace = make_workspace(FAN_OUT)
    workspace.behave("left", "meet:right")
    workspace.behave("right", "meet:left")
    summary = retrain(workspace)
    assert summary.failure is None
    assert states(summary) == dict.fromkeys(FAN_OUT, "ran")
    graph_runs = {line.split()[1] for stage in FAN_OUT for line in workspace.executions(stage)}
    assert len(graph_runs) == 1

    again = retrain(workspace)
    assert again.headline() == "nothing to do: all 4 stages are up to date"
    flow_run, runs = last_flow_run()
    assert (flow_run.state.name, flow_run.state.message) == ("Completed", again.headline())
    assert {name: run.state.name for name, run in runs.items()} == dict.fromkeys(FAN_OUT, "Cached")


@pytest.mark.slow
def test_only_what_a_change_concerns_runs(make_workspace: Make, retrain: Retrain) -> None:
    workspace = make_workspace(CHAIN)
    assert states(retrain(workspace)) == dict.fromkeys(CHAIN, "ran")

    workspace.set_params(train={"seed": 2})
    changed = retrain(workspace)
    assert states(changed) == {"prepare": "cached", "train": "ran", "evaluate": "cached"}
    reasons = {report.stage: report.reason for report in changed.stages}
    assert reasons["train"] == "train.seed: 1 → 2"
    assert reasons["evaluate"] == "its inputs came out unchanged"
    _, runs = last_flow_run()
    assert {name: run.state.name for name, run in runs.items()} == {"prepare": "Cached", "train": "Completed", "evaluate": "Cached"}

    workspace.set_params(train={"seed": 1})
    restored = retrain(workspace)
    assert states(restored) == dict.fromkeys(CHAIN, "cached")
    assert restored.stages[1].reason == "DVC restored the outputs of an earlier run with the same inputs"
    assert [len(workspace.executions(stage)) for stage in CHAIN] == [1, 2, 1]


@pytest.mark.slow
def test_each_kind_of_failure_is_treated_as_it_deserves(make_workspace: Make, retrain: Retrain) -> None:
    token = uuid.uuid4().hex
    stages = dict.fromkeys(("fault", "crash", "killed", "unlucky", "evicted", "slow", "well"), tuple[str, ...]())
    workspace = make_workspace({**stages, "below": ("fault", "well")})
    behaviours = {"fault": "user_fault", "crash": "crash", "killed": "die", "unlucky": "crash_once", "slow": f"deaf hang:{token}"}
    behaviours["evicted"] = "save terminate_once"
    for stage, behaviour in behaviours.items():
        workspace.behave(stage, behaviour)
    slow = {"retries": 0, "time_limit_seconds": 4.0}
    workspace.set_flow(stages={"slow": slow}, max_parallel_stages=3, stop_grace_seconds=0.5)
    summary = retrain(workspace)

    assert states(summary) == {
        "fault": "failed", "crash": "failed", "killed": "failed", "unlucky": "ran", "evicted": "ran", "slow": "failed",
        "well": "ran", "below": "not run",
    }  # fmt: skip
    reasons = {report.stage: report.reason for report in summary.stages}
    assert reasons["fault"] == "data/fault.tsv:7: has 2 columns; expected 3"
    assert reasons["crash"] == "RuntimeError: boom"
    assert reasons["killed"].startswith("killed: was killed before it could end (out of memory, or by hand); DVC says: failed to")
    assert reasons["slow"] == "slow: stopped after its time limit of 4 s (runtime.flow.stages.slow.time_limit_seconds)"
    assert reasons["below"] == "fault did not succeed"
    executions = {stage: len(workspace.executions(stage)) for stage in reasons}
    attempts = {report.stage: report.attempts for report in summary.stages}
    assert attempts == {"fault": 1, "crash": 2, "killed": 2, "unlucky": 2, "evicted": 2, "slow": 1, "well": 1, "below": 0}
    assert executions == {**attempts, "slow": executions["slow"]}  # DVC itself may take as long as the limit
    assert processes_with(token) == []

    assert summary.failure is not None
    assert str(summary.failure) == reasons["fault"]
    assert (summary.failure.kind, summary.failure.exit_code, summary.failure.retryable) == ("user_fault", 2, False)
    flow_run, runs = last_flow_run()
    assert (flow_run.state.name, flow_run.state.message) == ("Failed", reasons["fault"])
    assert {name: run.state.name for name, run in runs.items()} == {
        "fault": "Failed", "crash": "Failed", "killed": "Failed", "unlucky": "Completed", "evicted": "Completed",
        "slow": "Failed", "well": "Completed",
    }  # fmt: skip
    assert {name: run.run_count for name, run in runs.items()} == {name: attempts[name] for name in runs}


@pytest.mark.slow
def test_a_second_retrain_is_refused_and_a_killed_one_leaves_no_process(
    make_workspace: Make, retrain: Retrain, start_retrain: Start
) -> None:
    workspace = make_workspace(CHAIN)
    token = uuid.uuid4().hex
    workspace.behave("train", f"save hang:{token}")
    process = start_retrain(workspace)
    wait_until((workspace.root / ".s2s" / "hanging").exists, "the stage that hangs")

    second = retrain(workspace)
    assert isinstance(second.failure, WorkspaceBusy)
    assert str(second.failure) == (
        f"{workspace.root}: a retrain is already running here (process {process.pid}); wait for it to end, or cancel it"
    )

    process.kill()
    wait_until(lambda: not processes_with(token) and not processes_with(str(workspace.root)), "the end of every process")
    assert (workspace.root / ".s2s" / "saved").exists()
    workspace.behave("train", "")
    assert states(retrain(workspace)) == {"prepare": "cached", "train": "ran", "evaluate": "ran"}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_an_interrupted_retrain_lets_its_stage_save_and_leaves_no_process(
    number: signal.Signals, exit_code: int, make_workspace: Make, start_retrain: Start
) -> None:
    workspace = make_workspace({"prepare": ()})
    token = uuid.uuid4().hex
    workspace.behave("prepare", f"save hang:{token}")
    process = start_retrain(workspace)
    wait_until((workspace.root / ".s2s" / "hanging").exists, "the stage that hangs")
    process.send_signal(number)
    assert process.wait(300) == exit_code
    assert processes_with(token) == []
    assert (workspace.root / ".s2s" / "saved").exists()


@pytest.mark.slow
def test_a_run_without_a_worker_hears_that_it_was_cancelled_on_the_server(make_workspace: Make, start_retrain: Start) -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelled

    workspace = make_workspace({"prepare": ()})
    token = uuid.uuid4().hex
    workspace.behave("prepare", f"save hang:{token}")
    process = start_retrain(workspace)
    wait_until((workspace.root / ".s2s" / "hanging").exists, "the stage that hangs")
    (line,) = workspace.executions("prepare")
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(uuid.UUID(line.split()[1]), Cancelled(), force=True)
    assert process.wait(300) == 130
    assert processes_with(token) == []
    log = (workspace.root.parent / "retrain0.log").read_text()
    assert log.endswith("the flow run was cancelled; every stage was stopped, run the same command again to go on\n")


@pytest.mark.slow
def test_a_cancelled_run_does_not_wait_for_a_slot_that_another_holds(
    make_workspace: Make, prefect_api: str, start_retrain: Start
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.concurrency.sync import concurrency

    workspace = make_workspace({"prepare": ()})
    tag = f"gpu-{uuid.uuid4().hex[:8]}"
    workspace.set_flow(default={"tags": [tag]})
    with get_client(sync_client=True) as client:
        client.create_concurrency_limit(tag, 1)
    with concurrency(f"tag:{tag}", strict=True):
        process = start_retrain(workspace)
        log = Path(str(workspace.root.parent / "retrain0.log"))
        wait_until(lambda: (workspace.root / ".s2s" / "retrain.lock").exists(), "the start of the run")
        wait_until(lambda: _is_queued(tag), "the task in the queue")
        process.send_signal(signal.SIGINT)
        assert process.wait(300) == 130, log.read_text()
    assert workspace.executions("prepare") == []


def _is_queued(tag: str) -> bool:
    """Whether a task run with a tag is on the server and has not begun."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter

    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(task_run_filter=TaskRunFilter.model_validate({"tags": {"all_": [tag]}}))
    return any(run.state is not None and run.state.is_pending() for run in runs)


@pytest.mark.slow
def test_both_doors_leave_the_same_files_and_know_of_each_other(make_workspace: Make, retrain: Retrain) -> None:
    by_flow, by_hand = make_workspace(CHAIN, "by_flow"), make_workspace(CHAIN, "by_hand")
    for workspace in (by_flow, by_hand):
        (workspace.root / "data" / "raw" / "toy" / "train.tsv").write_text("source\ttarget\nc\td\n")
    assert retrain(by_flow).notes == ("data/raw/toy.dvc: its data has changed; what it says was brought up to date",)
    by_hand.run("dvc", "repro", "-q")
    for name in ("dvc.lock", "data/raw/toy.dvc"):
        assert (by_flow.root / name).read_bytes() == (by_hand.root / name).read_bytes()
    assert by_flow.run("dvc", "status", "--json") == "{}"
    forced = retrain(by_hand, ("train",))
    assert states(forced) == {"prepare": "cached", "train": "ran", "evaluate": "cached"}
    assert forced.stages[1].reason == "asked for"


def test_a_stage_added_to_the_graph_appears_in_the_flow(make_workspace: Make, retrain: Retrain) -> None:
    workspace = make_workspace({"prepare": ()})
    place = workspace.root / "dvc.yaml"
    values = yaml.safe_load(place.read_text())
    one = {"cmd": "cat out/prepare > out/${item}", "deps": ["out/prepare"], "outs": ["out/${item}"]}
    values["stages"]["export"] = {"foreach": ["de", "fr"], "do": one}
    place.write_text(yaml.safe_dump(values))
    assert states(retrain(workspace)) == {"prepare": "ran", "export@de": "ran", "export@fr": "ran"}


def test_a_fault_before_the_first_stage_is_told_as_s2s_tells_it(make_workspace: Make, retrain: Retrain, tmp_path: Path) -> None:
    workspace = make_workspace(CHAIN)
    unknown = retrain(workspace, ("trian",))
    assert isinstance(unknown.failure, UserError)
    assert str(unknown.failure) == "force: must name stages of dvc.yaml (prepare, train, evaluate), got trian"

    (workspace.root / "data" / "raw" / "toy").rename(tmp_path / "moved")
    missing = retrain(workspace)
    assert isinstance(missing.failure, CorpusError)
    assert str(missing.failure).startswith("data/raw/toy: no such folder (corpus.path)")

    with webhook_server() as (url, heard):
        workspace.set_flow(notify={"webhook_url": url})
        workspace.set_params(train={"sed": 1})
        wrong_parameter = retrain(workspace)
    assert [body["failure"]["message"] for body in heard] == [str(wrong_parameter.failure)]
    assert isinstance(wrong_parameter.failure, ConfigError)
    assert wrong_parameter.failure.faults == ["train.sed: must be a known setting, got an unknown name (value 1)"]
    flow_run, runs = last_flow_run()
    assert (flow_run.state.name, flow_run.state.message, runs) == ("Failed", str(wrong_parameter.failure), {})


def test_an_mlflow_that_is_away_is_told_before_any_stage_runs(
    make_workspace: Make, prefect_api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace({"prepare": ()})
    workspace.set_params(runtime={"flow": FLOW, "tracking_wait_seconds": 0.0})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    failure = retrain_here(workspace).failure
    assert isinstance(failure, TrackingUnreachable)
    assert "http://127.0.0.1:9" in str(failure)
    assert workspace.executions("prepare") == []


def test_what_breaks_the_flow_itself_is_raised_and_told(
    make_workspace: Make, retrain: Retrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/full")

    workspace = make_workspace({"prepare": ()})
    monkeypatch.setattr(retraining, "read_stage_graph", refuse)
    with pytest.raises(OSError, match="No space left on device"):
        retrain(workspace)
    flow_run, _ = last_flow_run()
    assert flow_run.state.name == "Failed"
    report = artifacts_of(flow_run.id)["toy-retrain-report"]["data"]
    assert "OSError: [Errno 28] No space left on device: '/full'" in report


def test_the_dvc_of_this_environment_is_called_whatever_the_workspace_holds(make_workspace: Make) -> None:
    workspace = make_workspace({"prepare": ()})
    (workspace.root / "dvc.py").write_text("raise SystemExit('the wrong dvc')\n")
    assert Dvc(workspace.root).ask(["version"]).startswith("DVC version: ")


def test_a_success_is_published_reported_and_told(make_workspace: Make, retrain: Retrain, tmp_path: Path) -> None:
    workspace = make_workspace({"prepare": ()})
    workspace.run("dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    workspace.set_flow(publish={"commit_branch": "main"})
    refused = retrain(workspace)
    assert (
        str(refused.failure) == "runtime.flow.publish.commit_branch: must be a branch that is not checked out, got 'main', which is"
    )
    assert workspace.executions("prepare") == []

    with webhook_server() as (url, heard):
        address = {"webhook_url": url, "on": ["success"]}
        workspace.set_flow(publish={"push": True, "commit_branch": "retrained"}, notify=address)
        summary = retrain(workspace)
    assert summary.failure is None
    assert summary.notes[0] == "dvc push: 3 files pushed"
    assert summary.notes[1] == "not committed, although this run may rest on it: .dvc/config, params.yaml"
    assert summary.notes[2].startswith("branch retrained: committed dvc.lock, data/raw/toy.dvc as ")
    assert workspace.run("git", "show", "retrained:dvc.lock") == (workspace.root / "dvc.lock").read_text().strip()
    assert [body["event"] for body in heard] == ["success"]
    flow_run, _ = last_flow_run()
    assert heard[0]["flow_run"]["id"] == str(flow_run.id)
    artifacts = artifacts_of(flow_run.id)
    assert artifacts["toy-retrain-report"]["data"].startswith("# Retrain: done in ")
    assert json.loads(artifacts["toy-retrain-stages"]["data"])[0]["stage"] == "prepare"


def artifacts_of(flow_run_id: uuid.UUID) -> dict[str, Any]:
    """The artifacts of a flow run by key."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = client.request("POST", "/artifacts/filter", json={"flow_runs": {"id": {"any_": [str(flow_run_id)]}}}).json()
    return {artifact["key"]: artifact for artifact in found}
