"""The MLflow and Prefect pages of a workspace, served in the foreground until Ctrl-C."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from flows.processes.supervised import SupervisedProcess
from flows.server.automations import LATE_SECONDS, LATE_VARIABLE
from flows.server.environment import prepare_environment
from flows.server.local_server import STOP_SECONDS, home, log_output, pages_file, server_variables, wait_until_ready
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.errors import EnvironmentFault, UserError

HOST = "127.0.0.1"
ANSWER_SECONDS = 60.0
JOBS_VARIABLE = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"
"""Whether MLflow's server also starts six processes for jobs of its GenAI pages; unset, they are left out here."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """A server of web pages.

    Attributes:
        name: the name in messages.
        port: the port on 127.0.0.1.
        health: the path that answers with success once the server is ready.
        command: the command that starts the server.
        variables: environment variables on top of this process's own.
        landing: the path to begin at.
    """

    name: str
    port: int
    health: str
    command: tuple[str, ...]
    variables: dict[str, str]
    landing: str = ""

    @property
    def address(self) -> str:
        """The page's address."""
        return f"http://{HOST}:{self.port}"


def run_pages(root: Path, mlflow_port: int = 5000, prefect_port: int = 4200) -> None:
    """Serves both pages until interrupted, then stops both servers; logs each address once it answers.

    Args:
        root: the workspace, whose runs the pages show.
        mlflow_port: the MLflow page's port on 127.0.0.1.
        prefect_port: the Prefect page's port on 127.0.0.1.

    Raises:
        UserError: a port is taken.
        EnvironmentFault: a server does not start, or ends.
    """
    paths = Paths(root.resolve())
    settings = load_settings(paths.params)
    start_seconds = settings.runtime.flow.server_start_seconds
    prepare_environment()
    home(paths).mkdir(parents=True, exist_ok=True)
    pages = [page for page in (mlflow_page(paths, mlflow_port), prefect_page(paths, prefect_port)) if page is not None]
    for page in pages:
        _check_free(page)
    try:
        with ExitStack() as stack:
            running = [(page, stack.enter_context(_serving(page, paths))) for page in pages]
            for page, process in running:
                log_file = _log_file(page, paths)
                wait_until_ready(process, f"{page.address}{page.health}", f"the {page.name} server", start_seconds, log_file)
                logger.info("%s: %s%s", page.name, page.address, _landing(page, settings.runtime.experiment))
            stack.enter_context(_announced(paths, f"http://{HOST}:{prefect_port}/api"))
            logger.info("Ctrl-C stops both")
            _watch(running, paths)
    except KeyboardInterrupt:
        logger.info("stopped")


def mlflow_page(paths: Paths, port: int) -> Page | None:
    """MLflow's page of the workspace's runs and models; None where they are on a server with its own pages.

    Args:
        paths: the workspace, whose MLflow database and artifacts are served.
        port: the port to listen on.
    """
    from seq2seq_core.tracking.mlflow.address import MODEL_TRAINING, configured_place, displayed_uri, tracking_uri

    if tracking_uri(paths).startswith("http"):
        logger.info("MLflow: %s (%s)", displayed_uri(paths), configured_place(paths))
        return None
    command = (
        sys.executable, "-P", "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1",
        "--artifacts-destination", str(paths.mlflow_artifacts),
    )  # fmt: skip
    # Everybody on this machine can read a command line, and the address of a database may hold a password.
    variables = {"MLFLOW_BACKEND_STORE_URI": tracking_uri(paths), "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    variables[JOBS_VARIABLE] = os.environ.get(JOBS_VARIABLE, "false")
    return Page("MLflow", port, "/health", command, variables, f"/#/experiments?{MODEL_TRAINING}")


def prefect_page(paths: Paths, port: int) -> Page:
    """Prefect's page of this workspace's flow runs.

    Args:
        paths: the workspace, whose ``.s2s/prefect`` holds the database.
        port: the port to listen on.
    """
    command = (sys.executable, "-P", "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port))
    api_url = f"http://{HOST}:{port}/api"
    own = {"PREFECT_API_URL": api_url, "PREFECT_SERVER_UI_API_URL": api_url, LATE_VARIABLE: f"{LATE_SECONDS:.0f}"}
    variables = {**server_variables(paths), **own}
    return Page("Prefect", port, "/api/health", command, variables)


@contextmanager
def _serving(page: Page, paths: Paths) -> Iterator[SupervisedProcess]:
    """The process of a page's server, for the ``with`` block."""
    process = SupervisedProcess(page.command, paths.root, {**os.environ, **page.variables}, STOP_SECONDS)
    writer = log_output(process, _log_file(page, paths))
    try:
        yield process
    finally:
        process.stop(STOP_SECONDS)
        writer.join()
        process.wait()


@contextmanager
def _announced(paths: Paths, api_url: str) -> Iterator[None]:
    """Writes the Prefect server's address to a file for ``s2s retrain``, for the ``with`` block."""
    file = pages_file(paths)
    file.write_text(json.dumps({"api_url": api_url}) + "\n", encoding="utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _landing(page: Page, experiment: str) -> str:
    """Where to begin on a page: in MLflow the experiment's runs with scores and settings, where the experiment exists."""
    if not page.landing:
        return ""
    from seq2seq_core.tracking.runs.experiment_page import runs_page

    address = f"{page.address}/api/2.0/mlflow/experiments/get-by-name"
    try:
        found = httpx.get(address, params={"experiment_name": experiment}, timeout=ANSWER_SECONDS, trust_env=False)
    except httpx.HTTPError:  # the server has ended: who watches it tells
        return page.landing
    return f"/{runs_page(found.json()['experiment']['experiment_id'])}" if found.is_success else page.landing


def _watch(running: list[tuple[Page, SupervisedProcess]], paths: Paths) -> None:
    """Watches the servers until one ends.

    Raises:
        EnvironmentFault: a server has ended.
    """
    while True:
        time.sleep(0.5)
        for page, process in running:
            if process.has_ended():
                raise EnvironmentFault(
                    f"the {page.name} server has ended (exit code {process.wait()}); its output is in {_log_file(page, paths)}"
                )


def _log_file(page: Page, paths: Paths) -> Path:
    return paths.logs / f"{page.name.lower()}_page.log"


def _check_free(page: Page) -> None:
    """Checks that the page's port is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, page.port))
        except OSError as error:
            option = f"--{page.name.lower()}-port"
            raise UserError(
                f"the {page.name} page cannot use port {page.port} ({error.strerror}); choose another by {option}"
            ) from None
