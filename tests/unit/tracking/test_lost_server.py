"""A server that is killed in the middle of a stage and started again, as it happens at night."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.registry import registration
from seq2seq_core.registry.packaging import log_bundle
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.tracking.mlflow.address import displayed_uri
from seq2seq_core.tracking.mlflow.outbox import find_left
from seq2seq_core.tracking.mlflow.store import connect
from seq2seq_core.tracking.runs.graph_run import experiment_id
from seq2seq_core.tracking.session import open_stage_recorder
from tests.mlflow_server import MlflowServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow") / "server", mlflow_template)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def paths(tmp_path: Path, server: MlflowServer, no_outer_run: None) -> Paths:
    """A workspace whose settings name the server."""
    paths = Paths(tmp_path)
    paths.params.write_text(f"runtime: {{tracking_uri: '{server.address}'}}\n", encoding="utf-8")
    return paths


@pytest.fixture
def restarts(server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of whoever waits for the server, which is started again in the first of them."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        monkeypatch.undo()
        server.start()

    monkeypatch.setattr("seq2seq_core.tracking.mlflow.patience.sleep", pause)
    return pauses


def run_of(client: MlflowClient, paths: Paths, settings: Settings, stage: str) -> Any:
    (run,) = client.search_runs([experiment_id(client, paths, settings)], f"tags.stage = '{stage}'")
    return run


@pytest.mark.slow
def test_what_a_killed_server_missed_follows_with_the_next_stage_which_waits_for_it(
    paths: Paths, server: MlflowServer, tracked_settings: Settings, restarts: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    plot = paths.root / "plot.txt"
    plot.write_text("a plot")
    with open_stage_recorder("train", tracked_settings, paths) as recorder:
        recorder.patience_seconds = 0.5  # type: ignore[attr-defined]
        for step in range(20):
            recorder.log_metrics({"train_loss": 1.0 / (step + 1)}, step)
        recorder.flush()
        server.kill()
        for step in range(20, 60):
            recorder.log_metrics({"train_loss": 1.0 / (step + 1)}, step)
        recorder.log_file(plot, "plots")
        recorder.log_text("a table", "table.md")
        recorder.log_dataset(Path("data/raw/dates"), "dates/train", "abc", "training")
        recorder.set_tags({"note": "kept"})
    plot.unlink()
    assert len(list(find_left(paths.mlflow_outbox))) == 1
    caplog.clear()

    with open_stage_recorder("export", tracked_settings, paths):
        pass
    assert restarts == [1.0]
    waits, *_ = caplog.messages
    assert waits.startswith(f"MLflow does not answer at {displayed_uri(paths)}: [Errno 111] Connection refused; expected a running")
    assert waits.endswith("; waiting for it, for up to 2 min 00 s (runtime.tracking_wait_seconds; Ctrl-C stops)")
    client = connect(paths)
    run = run_of(client, paths, tracked_settings, "train")
    assert [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")] == list(range(60))
    assert {"note": "kept", "stage": "train"}.items() <= run.data.tags.items()
    assert [given.dataset.name for given in run.inputs.dataset_inputs] == ["dates/train"]
    files = [Path(client.download_artifacts(run.info.run_id, name)).read_text() for name in ("plots/plot.txt", "table.md")]
    assert files == ["a plot", "a table"]
    assert run.info.status == "FINISHED"
    assert run.info.end_time < run_of(client, paths, tracked_settings, "export").info.start_time, "it ended when the stage did"
    assert list(paths.mlflow_outbox.iterdir()) == []


@pytest.mark.proof
@pytest.mark.slow
def test_a_registration_goes_on_where_a_restart_of_the_server_interrupted_it(
    paths: Paths,
    server: MlflowServer,
    tracked_settings: Settings,
    make_bundle: Callable[..., None],
    restarts: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def log_to_a_killed_server(*arguments: Any) -> Any:
        monkeypatch.setattr(registration, "log_bundle", log_bundle)
        server.kill()
        return log_bundle(*arguments)

    make_bundle(paths)
    monkeypatch.setattr(registration, "log_bundle", log_to_a_killed_server)
    registered = register_bundle(tracked_settings, paths)
    assert restarts == [1.0]
    receipt = registered.receipt
    assert (receipt.version, receipt.decision, receipt.registry) == ("1", "champion", server.address)
    client = connect(paths)
    (version,) = client.search_model_versions("name = 'dates'")
    assert version.tags["bundle_digest"] == receipt.bundle_digest
    assert client.get_model_version_by_alias("dates", "champion").version == version.version
