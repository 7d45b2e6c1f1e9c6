"""The embedded Prefect server for ``s2s retrain`` where none is configured; its database is in the workspace."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import httpx

from flows.processes.supervised import SupervisedProcess
from flows.server.environment import EMBEDDED_VARIABLE
from seq2seq_core.artifacts import Paths
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import EnvironmentFault, describe_full_disk
from seq2seq_core.proxies import describe_proxy

PROBE_SECONDS = 5.0
PAUSE_SECONDS = 0.1
REMINDER_SECONDS = 15.0
STOP_SECONDS = 4.0
SEND_SECONDS = 10.0

logger = logging.getLogger(__name__)


@contextmanager
def prefect_server(paths: Paths, start_seconds: float) -> Iterator[str]:
    """The address of a Prefect API that answers, for the ``with`` block.

    The first of these: the configured server (``PREFECT_API_URL`` or the active profile); the server of this workspace's pages
    (``s2s ui``), if it runs; an embedded server, which ends with the block or with this process.

    Args:
        paths: the workspace; the embedded server writes ``.s2s/prefect`` and its log.
        start_seconds: longest wait for the embedded server.

    Raises:
        EnvironmentFault: the configured server does not answer, or the embedded one does not start.
    """
    from prefect.settings import get_current_settings

    configured = get_current_settings().api.url
    if configured:
        _probe(configured)
        yield configured
        return
    pages = running_pages(paths)
    if pages is not None:
        with _api_url(pages):
            yield pages
        return
    with _embedded(paths, start_seconds) as url, _api_url(url, is_embedded=True):
        yield url


def home(paths: Paths) -> Path:
    """The folder of the workspace's own Prefect database."""
    return paths.work / "prefect"


def pages_file(paths: Paths) -> Path:
    """The file in which ``s2s ui`` keeps the address of the workspace's Prefect server while it runs."""
    return home(paths) / "server.json"


def running_pages(paths: Paths) -> str | None:
    """The API address of the Prefect server that ``s2s ui`` runs for this workspace; None where no server answers."""
    try:
        url = str(json.loads(pages_file(paths).read_text(encoding="utf-8"))["api_url"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    from flows.server.presence import probe_server

    return url if probe_server(url) is None else None


def server_variables(paths: Paths) -> dict[str, str]:
    """Environment variables of a server with its database in the workspace."""
    return {
        "PREFECT_HOME": str(home(paths)),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    }


def free_port() -> int:
    """A free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(process: SupervisedProcess, url: str, what: str, start_seconds: float, log_file: Path) -> None:
    """Waits until a server answers; logs a reminder from time to time.

    Args:
        process: the server.
        url: the address that answers with success once the server is ready.
        what: the server's name in messages.
        start_seconds: longest wait.
        log_file: the file with the server's output, for messages.

    Raises:
        EnvironmentFault: the server ended, or did not answer in time.
    """
    started = time.monotonic()
    reminded = started
    with httpx.Client(timeout=PROBE_SECONDS) as client:  # made once: its certificates take 20 ms of CPU to read
        while time.monotonic() - started < start_seconds:
            if process.has_ended():
                raise EnvironmentFault(
                    f"{what} ended while it started (exit code {process.wait()}); its output is in {log_file}"
                    f"{describe_full_disk(log_file.parent)}"
                )
            with suppress(httpx.HTTPError):
                if client.get(url).is_success:
                    return
            time.sleep(PAUSE_SECONDS)
            if time.monotonic() - reminded > REMINDER_SECONDS:
                reminded = time.monotonic()
                logger.info("still waiting for %s (%s so far)", what, format_seconds(reminded - started))
    raise EnvironmentFault(
        f"{what} did not answer within {format_seconds(start_seconds)} (runtime.flow.server_start_seconds); "
        f"its output is in {log_file}"
    )


def log_output(process: SupervisedProcess, log_file: Path) -> threading.Thread:
    """A thread that writes a server's output to a file until the server ends; reads on where the disk is full."""
    log_file.parent.mkdir(parents=True, exist_ok=True)

    def write() -> None:
        try:
            with log_file.open("w", encoding="utf-8") as file:
                for line in process.lines():
                    file.write(f"{line}\n")
                    file.flush()
        except OSError as error:
            logger.warning("%s: %s; nothing more of the server's output is kept", log_file, error)
            for _ in process.lines():  # a full pipe would stop the server
                pass

    thread = threading.Thread(target=write, name=log_file.stem, daemon=True)
    thread.start()
    return thread


@contextmanager
def _embedded(paths: Paths, start_seconds: float) -> Iterator[str]:
    """Runs an embedded server for the ``with`` block; gives its API address."""
    database = home(paths) / "prefect.db"
    first = "" if database.is_file() else "; the first start in a workspace makes its database and takes a while"
    logger.info("starting an embedded Prefect server, because none is configured (PREFECT_API_URL)%s", first)
    home(paths).mkdir(parents=True, exist_ok=True)
    port = free_port()
    # Prefect starts its own temporary server by this command; ours also ends when this process is killed.
    command = [
        sys.executable, "-P", "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app",
        "--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--lifespan", "on",
    ]  # fmt: skip
    own = {"PREFECT_SERVER_UI_ENABLED": "false", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    process = SupervisedProcess(command, paths.root, {**os.environ, **server_variables(paths), **own}, STOP_SECONDS)
    log_file = paths.logs / "prefect_server.log"
    writer = log_output(process, log_file)
    try:
        url = f"http://127.0.0.1:{port}/api"
        import_module("prefect.flow_engine")  # a slow import, done while the server starts
        wait_until_ready(process, f"{url}/health", "the embedded Prefect server", start_seconds, log_file)
        yield url
    finally:
        process.stop(STOP_SECONDS)
        writer.join()
        process.wait()


@contextmanager
def _api_url(url: str, is_embedded: bool = False) -> Iterator[None]:
    """Sets Prefect's API address for all threads of this process, for the ``with`` block."""
    from prefect.context import refresh_global_settings_context

    own = {"PREFECT_API_URL": url, **({EMBEDDED_VARIABLE: "1"} if is_embedded else {})}
    os.environ.update(own)
    refresh_global_settings_context()
    try:
        yield
    finally:
        _send_the_rest()
        for name in own:
            del os.environ[name]
        refresh_global_settings_context()


def _send_the_rest() -> None:
    """Waits until the server has the last log lines and events, which Prefect sends from background threads."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogHandler

    from flows.server.presence import is_away

    if is_away():
        return
    APILogHandler().flush()
    EventsWorker.drain_all(timeout=SEND_SECONDS)


def _probe(url: str) -> None:
    """Checks that a server answers at the configured address."""
    from flows.server.presence import probe_server

    fault = probe_server(url)
    if fault is not None and not isinstance(fault, httpx.HTTPStatusError):
        raise EnvironmentFault(
            f"the Prefect server at {url} (PREFECT_API_URL, or the active profile) does not answer{describe_proxy(url)}: {fault}; "
            "start it with `prefect server start`, or unset PREFECT_API_URL to work without one"
        )
