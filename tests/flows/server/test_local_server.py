from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from flows.processes.supervised import SupervisedProcess
from flows.server.local_server import free_port, home, log_output, pages_file, prefect_server, running_pages, wait_until_ready
from flows.server.pages import JOBS_VARIABLE, mlflow_page, run_pages
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.errors import EnvironmentFault, UserError
from seq2seq_core.tracking.mlflow.store import connect
from seq2seq_core.tracking.runs.experiment_page import runs_page
from seq2seq_core.tracking.runs.graph_run import experiment_id

from ..conftest import CHAIN, ToyWorkspace, processes_with
from ..waiting import wait_until

Start = Callable[[ToyWorkspace, str], tuple[subprocess.Popen[bytes], Path]]
RetrainEmbedded = Callable[..., tuple[ToyWorkspace, subprocess.Popen[bytes], Path]]
LOGGED = "from pathlib import Path; import sys; from seq2seq_core.console import configure_logging; configure_logging()\n"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a script on a workspace, in a home of its own with no Prefect server configured."""
    started: list[subprocess.Popen[bytes]] = []

    def run(workspace: ToyWorkspace, script: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = tmp_path / "output.log"
        (tmp_path / "home").mkdir()
        variables = {**os.environ, "HOME": str(tmp_path / "home")}
        variables.pop("PREFECT_API_URL", None)
        with log.open("wb") as file:
            command = [sys.executable, "-P", "-c", LOGGED + script, str(workspace.root)]
            started.append(subprocess.Popen(command, env=variables, stdout=file, stderr=subprocess.STDOUT, start_new_session=True))
        return started[-1], log

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def give_database(prefect_api: str) -> Callable[[ToyWorkspace], None]:
    """Copies the tests' Prefect database into a workspace, because making an empty one takes long."""
    from prefect.settings import get_current_settings

    secret = get_current_settings().server.database.connection_url
    assert secret is not None
    source = secret.get_secret_value().removeprefix("sqlite+aiosqlite:///")

    def give(workspace: ToyWorkspace) -> None:
        target = home(workspace.paths) / "prefect.db"
        target.parent.mkdir(parents=True)
        with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
            original.backup(copy)

    return give


@pytest.fixture
def retrain_embedded(
    make_workspace: Callable[..., ToyWorkspace], start: Start, give_database: Callable[[ToyWorkspace], None]
) -> RetrainEmbedded:
    """Starts ``run_retrain`` without a configured server on a graph; returns once a stage with the given behaviour is busy."""
    script = (
        "from flows.reports import parent_run; parent_run.find_spec = lambda name: None\n"
        "from flows.launch import run_retrain; print(run_retrain(Path(sys.argv[1])).describe())"
    )

    def run(
        graph: dict[str, tuple[str, ...]], stage: str, behaviour: str, policies: dict[str, Any] | None = None
    ) -> tuple[ToyWorkspace, subprocess.Popen[bytes], Path]:
        workspace = make_workspace(graph)
        params = workspace.root / "params.yaml"
        content = yaml.safe_load(params.read_text())
        content["runtime"]["flow"]["stages"] = policies or {}
        params.write_text(yaml.safe_dump(content))
        give_database(workspace)
        workspace.behave(stage, behaviour)
        process, log = start(workspace, script)
        wait_until(lambda: any((workspace.root / ".s2s" / mark).exists() for mark in ("hanging", "waiting")), f"the stage {stage}")
        return workspace, process, log

    return run


@pytest.mark.slow
def test_without_a_server_an_embedded_one_serves_and_dies_with_the_run(
    retrain_embedded: RetrainEmbedded,
) -> None:
    workspace, process, log = retrain_embedded({"prepare": ()}, "prepare", "hang:x")
    assert processes_with("prefect.server.api.server:create_app")
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: not processes_with(str(workspace.root)), "the end of every process, the server's too")
    lines = log.read_text().splitlines()
    assert lines[0] == "starting an embedded Prefect server, because none is configured (PREFECT_API_URL)"
    assert [line for line in lines[1:] if not line.startswith("still waiting for the embedded Prefect server")] == [
        "stages that may have to run: prepare",
        "prepare | Running stage 'prepare':",
        "prepare | > python toy_stage.py prepare out/prepare",
        "prepare | hello from prepare",
    ]


@pytest.mark.proof
@pytest.mark.slow
def test_the_work_goes_on_without_a_server_that_died(prefect_api: str, retrain_embedded: RetrainEmbedded) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.create_concurrency_limit("held", 9)  # its slot is given back to a server that has gone
    # Prefect remembers for seconds that tags have no limit: a stage with a tag of its own asks the server that has gone.
    policies = {"train": {"tags": ["held"]}, "evaluate": {"tags": ["asked"]}}
    workspace, process, log = retrain_embedded(CHAIN, "train", "wait_for:go", policies)
    servers = [one for one in psutil.Process(process.pid).children(recursive=True) if "uvicorn" in one.cmdline()]
    assert len(servers) == 2  # with its supervisor
    for server in servers:
        server.kill()
    (workspace.root / ".s2s" / "go").touch()
    assert process.wait(timeout=300) == 0, log.read_text()
    said = log.read_text()
    assert "3 of 3 stages ran" in said, said
    assert said.count("does not answer: the end of this run is not on its pages") == 1, said
    assert "Traceback" not in said, said
    assert not processes_with(str(workspace.root))


@pytest.mark.proof
@pytest.mark.slow
def test_both_pages_answer_and_end_with_the_command(
    make_workspace: Callable[..., ToyWorkspace], start: Start, give_database: Callable[[ToyWorkspace], None]
) -> None:
    workspace = make_workspace({"prepare": ()})
    give_database(workspace)
    made = experiment_id(connect(workspace.paths), workspace.paths, load_settings(workspace.paths.params))
    mlflow_port, prefect_port = free_port(), free_port()
    script = f"from flows.server.pages import run_pages; run_pages(Path(sys.argv[1]), {mlflow_port}, {prefect_port})"
    process, log = start(workspace, script)
    wait_until(lambda: "Ctrl-C stops both" in log.read_text(), "both addresses")
    assert f"MLflow: http://127.0.0.1:{mlflow_port}/{runs_page(made)}" in log.read_text().splitlines()
    assert f"Prefect: http://127.0.0.1:{prefect_port}" in log.read_text().splitlines()
    for port in (mlflow_port, prefect_port):
        assert "<html" in httpx.get(f"http://127.0.0.1:{port}/", follow_redirects=True).text
    assert running_pages(workspace.paths) == f"http://127.0.0.1:{prefect_port}/api"
    with pytest.raises(UserError) as caught:
        run_pages(workspace.root, mlflow_port, prefect_port)
    assert str(caught.value) == (
        f"the MLflow page cannot use port {mlflow_port} (Address already in use); choose another by --mlflow-port"
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 0
    assert processes_with(str(workspace.root)) == []
    assert running_pages(workspace.paths) is None


def test_a_configured_server_that_is_away_is_named(prefect_api: str, tmp_path: Path) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    url = "http://127.0.0.1:9/api"
    with (
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(EnvironmentFault) as caught,
        prefect_server(Paths(tmp_path), 1.0),
    ):
        pass
    assert str(caught.value) == (
        f"the Prefect server at {url} (PREFECT_API_URL, or the active profile) does not answer: [Errno 111] Connection refused; "
        "start it with `prefect server start`, or unset PREFECT_API_URL to work without one"
    )


def test_a_configured_server_is_used_as_it_is(prefect_api: str, tmp_path: Path) -> None:
    with prefect_server(Paths(tmp_path), 1.0) as url:
        assert url == prefect_api
    assert list(tmp_path.iterdir()) == []


def test_pages_that_are_gone_or_unreadable_are_no_server(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert running_pages(paths) is None
    pages_file(paths).parent.mkdir(parents=True)
    for text in ("", "[]", json.dumps({"api_url": f"http://127.0.0.1:{free_port()}/api"})):
        pages_file(paths).write_text(text)
        assert running_pages(paths) is None


def test_a_server_that_ends_or_stays_silent_is_told_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    ended = SupervisedProcess([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, os.environ, 1.0)
    with pytest.raises(EnvironmentFault) as caught:
        wait_until_ready(ended, f"http://127.0.0.1:{free_port()}", "the server", 60.0, log)
    assert str(caught.value) == f"the server ended while it started (exit code 3); its output is in {log}"

    silent = SupervisedProcess([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path, os.environ, 1.0)
    with pytest.raises(EnvironmentFault) as late:
        wait_until_ready(silent, f"http://127.0.0.1:{free_port()}", "the server", 0.2, log)
    assert str(late.value) == f"the server did not answer within 0 s (runtime.flow.server_start_seconds); its output is in {log}"
    silent.stop(0.0)
    silent.wait()


def test_a_server_goes_on_where_its_output_finds_no_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    talks = SupervisedProcess([sys.executable, "-c", "print(('x' * 99 + chr(10)) * 9999)"], tmp_path, os.environ, 1.0)
    log_output(talks, Path("/dev/full")).join(60.0)
    assert talks.wait() == 0
    assert "/dev/full: [Errno 28] No space left on device; nothing more of the server's output is kept" in caplog.text


def test_a_remote_mlflow_has_pages_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")
    assert mlflow_page(Paths(tmp_path), 5000) is None


def test_the_password_of_mlflows_database_is_on_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = "postgresql://me:pa55w0rd@db.example/runs"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    page = mlflow_page(Paths(tmp_path), 5000)
    assert page is not None
    assert "pa55w0rd" not in " ".join(page.command)
    assert page.variables["MLFLOW_BACKEND_STORE_URI"] == address


def test_mlflows_server_runs_no_jobs_unless_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv(JOBS_VARIABLE, raising=False)
    found = []
    for asked in (None, "true"):
        if asked is not None:
            monkeypatch.setenv(JOBS_VARIABLE, asked)
        page = mlflow_page(Paths(tmp_path), 5000)
        assert page is not None
        found.append(page.variables[JOBS_VARIABLE])
    assert found == ["false", "true"]


def test_a_taken_port_is_refused_before_anything_starts(make_workspace: Callable[..., ToyWorkspace]) -> None:
    workspace = make_workspace({"prepare": ()})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError) as caught:
            run_pages(workspace.root, free_port(), port)
    assert (
        str(caught.value) == f"the Prefect page cannot use port {port} (Address already in use); choose another by --prefect-port"
    )
