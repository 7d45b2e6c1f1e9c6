"""A retrain whose MLflow dies after the last stage: its report, its exit and its webhook need no MLflow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from flows.reports.parent_run import GraphTracking
from flows.reports.summary import RetrainSummary
from seq2seq_core.config.settings import load_settings
from tests.canary import SLASHED, find_leaks
from tests.mlflow_server import MlflowServer

from .conftest import FLOW, ToyWorkspace, retrain_here
from .webhook_server import webhook_server

Make = Callable[..., ToyWorkspace]
GRAPH: dict[str, tuple[str, ...]] = {"prepare": (), "register": ("prepare",)}


@pytest.fixture
def server(tmp_path: Path, mlflow_template: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path / "server", mlflow_template)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a local webhook, and the bodies that it was sent."""
    with webhook_server() as server:
        yield server


@pytest.mark.proof
@pytest.mark.slow
def test_a_retrain_whose_mlflow_was_killed_behind_the_last_stage_is_reported_and_told(
    make_workspace: Make,
    prefect_api: str,
    server: MlflowServer,
    webhook: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    address, heard = webhook
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address.replace("://", f"://me:{quote(SLASHED, safe='')}@"))
    workspace = make_workspace(GRAPH)
    flow = {**FLOW, "notify": {"webhook_url": address, "on": ["success"]}}
    workspace.set_params(runtime={"flow": flow, "tracking_uri": server.address})
    workspace.behave("register", f"kill_group:{server.process_group}")

    summary = retrain_here(workspace)
    assert summary.failure is None
    assert {report.stage: report.state for report in summary.stages} == dict.fromkeys(GRAPH, "ran")
    (note,) = summary.notes
    stays_open = "the MLflow run of this retrain stays open until the next one: "
    assert note.startswith(f"{stays_open}MLflow does not answer at {server.address}: [Errno 111] Connection refused")
    assert summary.links["MLflow run"].startswith(f"{server.address}/#/experiments/")
    assert [body["event"] for body in heard] == ["success"]
    assert heard[0]["links"]["MLflow run"] == summary.links["MLflow run"]
    assert note in summary.describe()

    again: RetrainSummary = retrain_here(workspace)
    assert again.headline() == "nothing to do: all 2 stages are up to date", "no stage needs MLflow"
    assert [body["event"] for body in heard] == ["success", "success"]
    texts = [caplog.text, json.dumps(heard), summary.describe(), again.describe()]
    assert find_leaks(texts, workspace.root, server.folder) == []


def test_whatever_breaks_at_the_close_is_a_note_and_closing_twice_is_harmless(
    make_workspace: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2seq_core.tracking.runs import graph_run

    workspace = make_workspace(GRAPH)
    tracking = GraphTracking("key", workspace.paths, load_settings(workspace.paths.params))
    monkeypatch.setattr(graph_run, "open_graph_run", lambda *_: graph_run.OpenGraphRun("run", "7"))
    assert (tracking.close("FINISHED"), tracking.address()) == ("", "")
    tracking.open({})

    def fail(*_: object) -> None:
        raise KeyError("http://me:hunter2@mlflow is gone")

    monkeypatch.setattr(graph_run, "close_graph_run", fail)
    note = "the MLflow run of this retrain stays open until the next one: KeyError: 'http://***@mlflow is gone'"
    assert [tracking.close("FINISHED"), tracking.close("FAILED")] == [note, ""]
    tracking.close_killed()
    assert tracking.address() == "sqlite:///mlflow.db, run run"
