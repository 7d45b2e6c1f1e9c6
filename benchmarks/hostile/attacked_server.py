"""A real `s2s serve` on a small model of random weights, and what its processes hold."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from flows.server.local_server import free_port
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import parse_settings
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.tracking.mlflow.store import connect
from tests.unit.conftest import write_tiny_bundle

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 240.0
LOOK_SECONDS = 0.25
MIB = 2**20


@dataclass
class AttackedServer:
    """The server's process.

    Attributes:
        process: of the front.
        port: where it listens.
        root: its workspace, whose path no answer may have.
        peak_bytes: most memory of all its processes since the last :meth:`forget_peak`.
    """

    process: subprocess.Popen[bytes]
    port: int
    root: Path
    peak_bytes: int = 0
    _is_over: threading.Event = field(default_factory=threading.Event)

    def memory(self) -> int:
        """Bytes of all processes; shared pages count in parts (PSS)."""
        total = 0
        for process in self.processes():
            try:
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            except OSError:
                continue  # it has ended meanwhile
            total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
        return total

    def processes(self) -> list[psutil.Process]:
        """The front and its workers."""
        front = psutil.Process(self.process.pid)
        return [front, *front.children(recursive=True)]

    def held(self) -> dict[str, float]:
        """What requests hold: connections, threads and files of the front, requests and rows by its own count."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        counts = {name: float(line.split()[1]) for name in COUNTS for line in lines if line.startswith(f"{name} ")}
        front = psutil.Process(self.process.pid)
        connections = sum(one.status == psutil.CONN_ESTABLISHED for one in front.net_connections())
        return {
            "connections": connections, "requests": counts[COUNTS[0]] - 1, "waiting rows": counts[COUNTS[1]],
            "restarts of workers": counts[COUNTS[2]], "threads": front.num_threads(), "files": front.num_fds(),
        }  # fmt: skip

    def forget_peak(self) -> None:
        """Starts the peak anew."""
        self.peak_bytes = 0

    def watch(self) -> None:
        """Follows the memory until the server ends."""
        while not self._is_over.wait(LOOK_SECONDS):
            self.peak_bytes = max(self.peak_bytes, self.memory())

    def stop(self) -> None:
        """Ends the server as Ctrl-C does, and then at once."""
        self._is_over.set()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


COUNTS = ("s2s_requests_in_flight", "s2s_queue_rows", "s2s_worker_restarts_total")


@contextmanager
def attacked_server(folder: Path, width: int, serve: dict[str, dict[str, float]]) -> Iterator[AttackedServer]:
    """Registers a Transformer of random weights and serves it.

    Args:
        folder: an empty folder for the workspace.
        width: of the model.
        serve: the section ``serve`` where it is not the default.
    """
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    paths = Paths(folder)
    settings = {
        "corpus": {"path": "data/raw/dates", "files": {"train": ["train.tsv"]}},
        "register": {"model_name": "dates", "gate": {"minimum_rows": 4}},
        "serve": serve,
        "runtime": {"device": "cpu", "num_threads": 1},
    }
    paths.params.write_text(yaml.safe_dump(settings), encoding="utf-8")
    (paths.root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    write_tiny_bundle(paths, right=None, model={"architecture": "transformer", "width": width})
    register_bundle(parse_settings(settings, "params.yaml"), paths)
    connect(paths).set_registered_model_alias("dates", "champion", "1")
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "seq2seq_core.cli.main", "serve", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    server = AttackedServer(process, port, folder)
    try:
        _wait_until_ready(server)
        threading.Thread(target=server.watch, daemon=True).start()
        yield server
    finally:
        server.stop()


def _wait_until_ready(server: AttackedServer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    raise SystemExit(f"the server did not start:\n{(server.root / 'server.log').read_text(errors='replace')[-5000:]}")
