"""A real MLflow server, which tests kill and start again on the same database and port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from flows.server.local_server import free_port
from tests.flows.waiting import wait_until


class MlflowServer:
    """A server of a database and artifacts of its own.

    Args:
        folder: the folder of both, and of the server's log.
        template: an empty database of MLflow, which is copied.
    """

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder = folder
        folder.mkdir()
        shutil.copy(template, folder / "mlflow.db")
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def process_group(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts the server; returns once it answers."""
        options = {"--host": "127.0.0.1", "--port": str(self.port), "--workers": "1"}
        options["--backend-store-uri"] = f"sqlite:///{self.folder}/mlflow.db"
        options["--artifacts-destination"] = f"{self.folder}/artifacts"
        command = [sys.executable, "-P", "-m", "mlflow", "server", *(word for option in options.items() for word in option)]
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **quiet}, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        wait_until(self._answers, f"an answer of MLflow: {(self.folder / 'server.log').read_text()}", 180.0)

    def kill(self) -> None:
        """Kills the server with its workers; killing it twice is harmless."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
