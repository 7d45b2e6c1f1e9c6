from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest

from flows.server.local_server import free_port
from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import UserError
from seq2seq_core.serving.server import serve_command, serve_model
from tests.flows.waiting import wait_until

PROGRAM = """
import logging, sys
from pathlib import Path
from seq2seq_core.artifacts import Paths
from seq2seq_core.serving.server import serve_model
logging.basicConfig(level=logging.INFO, format="%(message)s")
serve_model("models:/dates@champion", Paths(Path(sys.argv[1])), port=int(sys.argv[2]))
"""


@pytest.fixture
def taken_port() -> Iterator[int]:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_the_command_is_one_that_a_person_could_type() -> None:
    command = serve_command("models:/dates@champion", "127.0.0.1", 5001)
    line = "-m mlflow models serve --model-uri models:/dates@champion --env-manager local --host 127.0.0.1 --port 5001"
    assert " ".join(command[1:]) == line


def test_a_model_that_is_not_registered_is_named_before_anything_starts(registered_paths: Paths) -> None:
    expected = "models:/dates@best: the model 'dates' has no alias 'best'; it has: champion"
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        serve_model("models:/dates@best", registered_paths)


def test_a_taken_port_is_named_before_anything_starts(registered_paths: Paths, taken_port: int) -> None:
    expected = f"cannot listen on 127.0.0.1:{taken_port}: Address already in use; expected a free port (--port)"
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        serve_model("models:/dates@champion", registered_paths, port=taken_port)


def ask(port: int) -> object:
    body = json.dumps({"dataframe_split": {"columns": ["source"], "data": [["3 May 2031"]]}}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as response:
        return json.load(response)


def listens(port: int, server: subprocess.Popen[str]) -> bool:
    assert server.poll() is None, server.communicate()
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_served_model_answers_and_leaves_no_process_when_it_is_stopped(registered_paths: Paths, kind: signal.Signals) -> None:
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(registered_paths.root), str(port)]
    # No virtual environment is activated here: MLflow has to find uvicorn all the same.
    environment = dict(os.environ) | {"PATH": "/usr/bin:/bin"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as server:
        wait_until(lambda: listens(port, server), "the server")
        answer = ask(port)
        below = psutil.Process(server.pid).children(recursive=True)
        server.send_signal(kind)
        _, said = server.communicate(timeout=300)
    assert server.returncode == 0, said
    assert isinstance(answer, dict)
    assert [sorted(row) for row in answer["predictions"]] == [["is_cut", "prediction", "score"]]
    assert below
    assert not [process for process in below if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert f"serving version 1 of dates at http://127.0.0.1:{port}/invocations (Ctrl-C stops it)" in said
    assert "the server was stopped" in said
