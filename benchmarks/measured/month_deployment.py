"""The deployment of the month in an hour: its servers, and what disturbs them (``benchmarks/month.py``)."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.kills import Workspace, is_command, make_workspace, processes_in
from flows.server.local_server import free_port
from tests.flows.waiting import wait_until

PASSWORD = "canary-password-7391"
CRON, EVERY_TWO_MINUTES = '"0 3 * * *"', '"*/2 * * * *"'


def answers(address: str) -> bool:
    """Whether a server answers with success.

    Args:
        address: what is asked of it.
    """
    try:
        return httpx.get(address, timeout=2.0).is_success
    except httpx.HTTPError:
        return False


@dataclass
class Service:
    """A server that can be killed and started again.

    Attributes:
        command: its command line.
        folder: its working folder.
        variables: its environment.
        log: the file with its output.
        health: the address that answers once it is ready; empty for none.
    """

    command: list[str]
    folder: Path
    variables: dict[str, str]
    log: Path
    health: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, env=self.variables, stdout=log, stderr=log)
        if self.health:
            wait_until(lambda: answers(self.health), f"an answer to {self.command}; its output is in {self.log}")

    def kill(self) -> None:
        """Kills the server and its children with SIGKILL."""
        assert self.process is not None
        for one in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
            one.kill()
        self.process.wait()


@dataclass
class Month:
    """The deployment under test.

    Attributes:
        workspace: the deployed workspace.
        prefect: the Prefect server.
        mlflow: the MLflow server.
        worker: the worker of the pool.
        api: the address of Prefect's API.
        chance: the moments and kinds of the disturbances.
        told: the bodies that the webhook received.
    """

    workspace: Workspace
    prefect: Service
    mlflow: Service
    worker: Service
    api: str
    chance: random.Random
    told: list[Any] = field(default_factory=list)
    disturbances: Counter[str] = field(default_factory=Counter)
    next_number: int = 20_000

    def flow_runs(self) -> list[dict[str, Any]]:
        """All flow runs that should have started by now, oldest first."""
        body = {"sort": "EXPECTED_START_TIME_ASC", "flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED"]}}}}
        answer = httpx.post(f"{self.api}/flow_runs/filter", json=body, timeout=30.0)
        return list(answer.raise_for_status().json())

    def stop_schedules(self) -> None:
        """Pauses every deployment, and waits until no run is on the way, and no process of one is left."""
        for one in httpx.post(f"{self.api}/deployments/filter", json={}, timeout=30.0).raise_for_status().json():
            httpx.post(f"{self.api}/deployments/{one['id']}/pause_deployment", timeout=30.0).raise_for_status()

        def is_quiet() -> bool:
            is_over = all(run["state_type"] not in ("PENDING", "RUNNING") for run in self.flow_runs())
            return is_over and not list(processes_in(self.workspace.root))

        with suppress(AssertionError):  # what never ends is a fault that is reported
            wait_until(is_quiet, "the end of all runs", pause=1.0)

    def grow(self) -> None:
        """Appends pairs to the training corpus."""
        numbers = range(self.next_number, self.next_number + 50)
        self.next_number += 50
        with (self.workspace.root / "data" / "raw" / "digits" / "train.tsv").open("a", encoding="utf-8") as file:
            file.writelines(f"{number}\t{','.join(str(number))}\n" for number in numbers)

    def disturb(self) -> str:
        """Does one thing that a month brings; returns its name, with ``nothing to`` where it found no victim."""
        kinds: list[Callable[[], str]] = [
            self._kill_worker, self._kill_mlflow, self._kill_prefect, self._kill_flow, self._kill_stage, self._kill_stage,
            self._fill_disk, self._repro_beside, self._grow,
        ]  # fmt: skip
        name = self.chance.choice(kinds)()
        self.disturbances[name] += 1
        return name

    def _kill_worker(self) -> str:
        return self._restart(self.worker, "worker", 10.0)

    def _kill_mlflow(self) -> str:
        return self._restart(self.mlflow, "MLflow", 45.0)

    def _kill_prefect(self) -> str:
        return self._restart(self.prefect, "Prefect server", 30.0)

    def _restart(self, service: Service, name: str, longest_seconds: float) -> str:
        service.kill()
        time.sleep(self.chance.uniform(1.0, longest_seconds))
        service.start()
        return f"{name} killed"

    def _kill_flow(self) -> str:
        return self._kill_one("flow", lambda one: is_command(one, "-m", "prefect.engine"))

    def _kill_stage(self) -> str:
        stages = ("validate", "prepare", "tokenize", "train", "export", "evaluate", "register")
        return self._kill_one("stage", lambda one: any(is_command(one, "s2s", stage) for stage in stages))

    def _kill_one(self, name: str, is_meant: Callable[[psutil.Process], bool]) -> str:
        victims = [one for one in processes_in(self.workspace.root) if is_meant(one)]
        if not victims:
            return f"nothing to kill: {name}"
        self.chance.choice(victims).kill()
        return f"{name} killed"

    def _fill_disk(self) -> str:
        if not self.workspace.root.parent.is_mount():
            return "nothing to fill: no small file system"
        filler = self.workspace.root.parent / "filler"
        try:
            with filler.open("wb") as file:
                while True:
                    file.write(b"x" * 2**20)
        except OSError:
            time.sleep(self.chance.uniform(5.0, 25.0))
        finally:
            filler.unlink()
        return "disk full"

    def _repro_beside(self) -> str:
        self.workspace.start("dvc", "repro")
        return "dvc repro beside"

    def _grow(self) -> str:
        self.grow()
        return "corpus grown"


def make_month(folder: Path, told: list[Any], seed: int, webhook: str) -> Month:
    """Starts the servers and deploys a small workspace.

    Args:
        folder: of everything; a small file system where the disk can be filled.
        told: receives the webhook's bodies.
        seed: of the disturbances.
        webhook: the webhook's address.
    """
    workspace = make_workspace(folder / "digits", "gru", 60, 0)
    graph = workspace.root / "prefect.yaml"
    text = graph.read_text(encoding="utf-8")
    assert text.count(CRON) == 1
    graph.write_text(text.replace(CRON, EVERY_TWO_MINUTES), encoding="utf-8")
    prefect_port, mlflow_port = free_port(), free_port()
    api, mlflow_url = f"http://127.0.0.1:{prefect_port}/api", f"http://127.0.0.1:{mlflow_port}"
    notify = {"on": ["failure", "promotion", "success"]}
    flow = {
        "default": {"retries": 2, "retry_delay_seconds": 5.0},
        "stages": {},
        "notify": notify,
        "server_return_seconds": 120.0,
        "dead_after_seconds": 120.0,
    }
    workspace.change("model", width=32, encoder_layers=1, decoder_layers=1, feedforward_width=32)
    workspace.change("runtime", flow=flow)
    servers = folder / "servers"
    servers.mkdir()
    workspace.variables |= {
        "PREFECT_HOME": str(servers / "prefect"), "PREFECT_API_URL": api, "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "S2S_WEBHOOK_URL": webhook,
        "MLFLOW_TRACKING_URI": mlflow_url.replace("//", f"//team:{PASSWORD}@"),
    }  # fmt: skip
    variables = workspace.variables

    def service(name: str, *command: str, health: str = "") -> Service:
        return Service([sys.executable, "-P", "-m", *command], servers, variables, servers / f"{name}.log", health)

    prefect = service(
        "prefect", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(prefect_port), health=f"{api}/health"
    )
    store = f"sqlite:///{servers / 'mlflow.db'}"
    mlflow = service(
        "mlflow", "mlflow", "server", "--host", "127.0.0.1", "--port", str(mlflow_port), "--workers", "1",
        "--backend-store-uri", store, "--artifacts-destination", str(servers / "artifacts"), health=f"{mlflow_url}/health",
    )  # fmt: skip
    worker = service("worker", "prefect", "worker", "start", "--pool", "seq2seq-pool")
    mlflow.start()
    prefect.start()
    workspace.must("s2s", "setup-prefect")
    workspace.must("prefect", "--no-prompt", "deploy", "--all")
    worker.start()
    return Month(workspace, prefect, mlflow, worker, api, random.Random(seed), told)
