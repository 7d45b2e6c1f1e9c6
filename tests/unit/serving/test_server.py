"""The real server, with real workers, on a registered model of two versions and a broken one."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.server.local_server import free_port
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.serving.serve import ServeSection
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import UserError
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.serving.model_header import read_header
from seq2seq_core.serving.server import serve_model
from seq2seq_core.tracking.mlflow.store import connect
from tests.flows.waiting import lives, wait_until

PARAMS = """
corpus: {path: data/raw/dates, files: {train: [train.tsv]}}
register: {model_name: dates}
serve:
  poll_seconds: 0.3
  grace_seconds: 0.3
  lame_duck_seconds: 3
  limits: {deadline_seconds: 20}
runtime: {device: cpu}
"""
LONG = {"beam_size": 8, "min_length": 700, "max_length": 700}
"""Options of a request that takes about seconds."""


def test_a_model_that_is_not_registered_is_named_before_anything_starts(registered_paths: Paths) -> None:
    expected = "models:/dates@best: the model 'dates' has no alias 'best'; it has: champion"
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        serve_model("models:/dates@best", registered_paths)


def test_a_taken_port_is_named_before_anything_starts(registered_paths: Paths) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        expected = f"cannot listen on 127.0.0.1:{port}: Address already in use; expected a free port (--port)"
        with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
            serve_model("models:/dates@champion", registered_paths, ServeSection(port=port))


@dataclass
class Running:
    """The server's process."""

    paths: Paths
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, **params: Any) -> tuple[int, str, dict[str, Any]]:
        """The status, the version and the content of an answer."""
        return self.post("/invocations", {"inputs": ["3 May 2031"], "params": params})

    def post(self, path: str, content: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
        """The same for a request to any path."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request("POST", path, json.dumps(content), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            named = read_header(answer.getheader("x-s2s-model", ""))
            assert named is not None
            assert named.name == "dates"
            return answer.status, named.number, json.loads(answer.read())
        finally:
            connection.close()

    def is_ready(self) -> bool:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)) as connection:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def point_to(self, number: str) -> None:
        connect(self.paths).set_registered_model_alias("dates", "champion", number)

    def says(self, text: str) -> bool:
        return text in self.log.read_text(encoding="utf-8")


def listens(port: int, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def workspace(
    tmp_path_factory: pytest.TempPathFactory,
    mlflow_template: Path,
    make_bundle: Callable[..., None],
    make_settings: Callable[..., Settings],
) -> Iterator[Paths]:
    paths = Paths(tmp_path_factory.mktemp("served") / "workspace")
    paths.root.mkdir()
    shutil.copy(mlflow_template, paths.mlflow_database)
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    paths.params.write_text(PARAMS)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        for seed in (1, 2):
            make_bundle(paths, seed=seed, right=None)
            register_bundle(make_settings(), paths)
        client = connect(paths)
        source = client.get_model_version("dates", "1").source
        assert source is not None
        client.create_model_version("dates", source)  # without a digest
        client.set_registered_model_alias("dates", "champion", "1")
        yield paths


@pytest.fixture(scope="module")
def running(workspace: Paths) -> Iterator[Running]:
    port, log = free_port(), workspace.root / "server.log"
    command = [sys.executable, "-W", "ignore", "-m", "seq2seq_core.cli.main", "serve", "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=workspace.root, stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: listens(port, process, log), "the server")
        yield Running(workspace, port, process, log)
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_the_process_that_answers_loads_no_model(running: Running) -> None:
    status, version, content = running.ask()
    assert (status, version) == (200, "1")
    assert [sorted(row) for row in content["predictions"]] == [["is_cut", "prediction", "score", "source_is_cut"]]
    loaded = Path(f"/proc/{running.process.pid}/maps").read_text()
    assert "pydantic_core" in loaded
    assert "libtorch" not in loaded
    assert len(running.workers()) == 1


@pytest.mark.slow
def test_all_paths_give_the_same_answer_and_one_of_them_its_alignment(running: Running) -> None:
    (row,) = running.ask()[2]["predictions"]
    translated = running.post("/translate", {"q": "3 May 2031", "source": "en", "target": "und", "alternatives": 1})[2]
    assert translated["translatedText"] == row["prediction"]
    assert [other != row["prediction"] for other in translated["alternatives"]] == [True]
    best, second = running.post("/try", {"source": "3 May 2031", "num_hypotheses": 2, "alignments": True})[2]["hypotheses"]
    assert (best["text"], best["is_cut"]) == (row["prediction"], row["is_cut"])
    assert best["score"] == pytest.approx(row["score"], abs=1e-4)
    assert second["text"] == translated["alternatives"][0]
    alignment = best["alignment"]
    assert alignment["source_pieces"] == [*"3▁May▁2031", "</s>"]
    assert len(alignment["weights"]) == len(alignment["target_pieces"])
    assert [sum(weights) for weights in alignment["weights"]] == pytest.approx([1.0] * len(alignment["weights"]), abs=0.02)


@pytest.mark.slow
def test_a_killed_worker_comes_back_and_its_request_gets_status_503(running: Running) -> None:
    answers: list[tuple[int, str, dict[str, Any]]] = []
    asked = threading.Thread(target=lambda: answers.append(running.ask(**LONG)))
    (worker,) = running.workers()
    busy = worker.cpu_times().user
    asked.start()
    wait_until(lambda: worker.cpu_times().user > busy + 0.1, "work")
    worker.kill()
    asked.join()
    ((status, _, content),) = answers
    assert (status, content["message"]) == (503, "the process that decoded this request ended")
    assert running.ask()[0] == 200
    (other,) = running.workers()
    assert other.pid != worker.pid
    other.kill()  # with nothing to decode
    wait_until(lambda: [one.pid for one in running.workers() if lives(one)] not in ([], [other.pid]), "another")
    assert running.ask()[0] == 200


@pytest.mark.slow
def test_a_moved_alias_is_followed_without_a_lost_request_and_a_broken_version_is_not_taken(running: Running) -> None:
    seen_by: list[list[tuple[int, str]]] = [[] for _ in range(3)]
    is_over = threading.Event()

    def ask_on(seen: list[tuple[int, str]]) -> None:
        while not is_over.is_set():
            seen.append(running.ask()[:2])

    clients = [threading.Thread(target=ask_on, args=(seen,)) for seen in seen_by]
    for client in clients:
        client.start()
    try:
        running.point_to("2")
        wait_until(lambda: all((200, "2") in seen for seen in seen_by), "the new version")
        wait_until(lambda: len(running.workers()) == 1, "the end of the old one's worker")
        running.point_to("3")
        wait_until(lambda: running.says("version 3 is not taken, version 2 goes on: version 3 of 'dates' has no tag"), "a reason")
    finally:
        is_over.set()
        for client in clients:
            client.join()
    for seen in seen_by:
        assert {status for status, _ in seen} == {200}
        assert [version for _, version in seen] == sorted(version for _, version in seen)
    running.point_to("1")
    wait_until(lambda: running.ask()[:2] == (200, "1"), "the first version again")


@pytest.mark.slow
def test_a_server_that_is_stopped_finishes_its_requests_and_leaves_no_process(running: Running) -> None:
    answers: list[tuple[int, str, dict[str, Any]]] = []
    asked = threading.Thread(target=lambda: answers.append(running.ask(**LONG)))
    wait_until(lambda: len(running.workers()) == 1, "one worker")
    (worker,) = running.workers()
    busy = worker.cpu_times().user
    asked.start()
    wait_until(lambda: worker.cpu_times().user > busy + 0.1, "work")
    os.kill(running.process.pid, signal.SIGTERM)
    wait_until(lambda: not running.is_ready(), "news for the load balancer")
    assert running.ask()[0] == 200  # the port is still open
    assert running.process.wait(120) == 0
    asked.join()
    assert [status for status, _, _ in answers] == [200]
    wait_until(lambda: not worker.is_running(), "the end of the worker")
    assert running.says("the server was stopped")
    entry = json.loads(next(line for line in running.log.read_text().splitlines() if '"status": 503' in line))
    assert (entry["path"], entry["model"], entry["rows"]) == ("/invocations", "dates/1", 1)
