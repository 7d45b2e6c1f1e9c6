"""Serves a registered model over HTTP: uvicorn in this process, MLflow's scoring app behind bounds, decoding in workers."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.serving.serve import TOKEN_VARIABLE, ServeSection
from seq2seq_core.errors import UserError
from seq2seq_core.redaction.redactor import remember_values
from seq2seq_core.registry.versions import find_version
from seq2seq_core.serving.batching.batcher import Load
from seq2seq_core.serving.front.application import Application
from seq2seq_core.serving.front.bounded_connection import connection_class
from seq2seq_core.serving.front.served_version import Observer, ServedVersion, prepare_version
from seq2seq_core.serving.front.serving_metrics import ServingMetrics
from seq2seq_core.serving.front.version_keeper import VersionKeeper

logger = logging.getLogger(__name__)
MAX_HEAD_BYTES = 65_536
SPARE_FILES = 256
"""Files of the process beside its connections."""


class _Server(uvicorn.Server):
    """uvicorn's server; a signal lets it drain, and the process then ends as any command does.

    Args:
        config: of uvicorn.
        lame_duck_seconds: time between SIGTERM and the end of listening.
        on_leave: called at the first signal.
    """

    def __init__(self, config: uvicorn.Config, lame_duck_seconds: float, on_leave: Callable[[], None]) -> None:
        super().__init__(config)
        self.lame_duck_seconds, self.on_leave = lame_duck_seconds, on_leave
        self._is_leaving = False

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles SIGINT too: a shell's background job starts with SIGINT ignored, and could not be stopped."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Drains; at a second signal, ends at once."""
        if self._is_leaving:
            self.force_exit = self.should_exit = True
            return
        self._is_leaving = True
        self.on_leave()
        if number == signal.SIGTERM and self.lame_duck_seconds:
            timer = threading.Timer(self.lame_duck_seconds, self._drain)
            timer.daemon = True
            timer.start()
        else:
            self._drain()

    def _drain(self) -> None:
        self.should_exit = True


def serve_model(reference: str, paths: Paths, settings: ServeSection | None = None, device: str = "auto") -> None:
    """Serves a registered model until interrupted.

    Args:
        reference: ``models:/NAME@ALIAS``, which is followed where it moves, or ``models:/NAME/VERSION``.
        paths: the workspace, whose MLflow registry has the model.
        settings: of the server; None: the defaults.
        device: what decodes, as in ``runtime.device``.

    Raises:
        UserError: the registry has no such version, or the port is taken.
        BundleError: a file of the version is not the one that was registered, or it answers otherwise than when it was evaluated.
        TrackingUnreachable: MLflow does not answer.
        EnvironmentFault: a worker does not start.
    """
    settings = settings or ServeSection()
    token = _read_token(settings, paths)
    version = find_version(reference, paths)
    listener = _listen(settings)
    with listener:
        keeper: VersionKeeper | None = None
        metrics = ServingMetrics(lambda: keeper.served.service.batcher.load() if keeper else Load(0, 0, 0.0))
        observer = Observer(metrics.observe_batch, metrics.restarts.inc)
        served = prepare_version(version, paths, settings, device, observer)

        def note_exchange(now: ServedVersion, is_done: bool) -> None:
            metrics.exchanges.labels("done" if is_done else "failed").inc()
            _show_version(metrics, now)

        keeper = VersionKeeper(
            reference, served, lambda other: prepare_version(other, paths, settings, device, observer), paths,
            settings.poll_seconds, settings.drain_seconds, note_exchange,
        )  # fmt: skip
        _show_version(metrics, served)
        application = Application(
            lambda: keeper.served, settings, metrics, token, lambda: keeper.stop(settings.drain_seconds),
            _write_line if settings.access_log else None,
        )  # fmt: skip
        keeper.start()
        try:
            _run(application, settings, paths, listener, served)
        finally:
            keeper.stop(0.0)
    logger.info("the server was stopped")


def _run(application: Application, settings: ServeSection, paths: Paths, listener: socket.socket, served: ServedVersion) -> None:
    """Answers requests until a signal."""
    files = (settings.tls_certificate_file, settings.tls_key_file)
    certificate, key = (_existing(paths.root / file) if file else None for file in files)
    config = uvicorn.Config(
        application, http=connection_class(settings.connections), ws="none", lifespan="on", log_config=None, access_log=False,
        server_header=False, timeout_keep_alive=int(max(1, settings.connections.keep_alive_seconds)),
        timeout_graceful_shutdown=int(settings.drain_seconds) + 1, h11_max_incomplete_event_size=MAX_HEAD_BYTES, backlog=2048,
        ssl_certfile=certificate, ssl_keyfile=key,
    )  # fmt: skip
    address = f"{'https' if certificate else 'http'}://{settings.host}:{settings.port}"
    logger.info(
        "serving version %s of %s at %s/invocations, with a page to try it at %s/ (Ctrl-C stops it)",
        served.number, served.name, address, address,
    )  # fmt: skip
    _Server(config, settings.lame_duck_seconds, application.leave).run(sockets=[listener])


def _listen(settings: ServeSection) -> socket.socket:
    """The listening socket, made before the model is loaded, so that a taken port is named at once."""
    _allow_files(settings.connections.max_connections + SPARE_FILES)
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as unless_bound:
            listener = unless_bound.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            unless_bound.pop_all()
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot listen on {settings.host}:{settings.port}: {reason}; expected a free port (--port)") from None
    return listener


def _allow_files(count: int) -> None:
    """Raises the process's limit of open files to what its connections need, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _read_token(settings: ServeSection, paths: Paths) -> str:
    """The token that requests must have; empty: none. It is hidden in every later text."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if settings.token_file:
        token = _existing(paths.root / settings.token_file).read_text(encoding="utf-8").strip()
        if not token:
            raise UserError(f"serve.token_file: {settings.token_file} is empty; expected a token")
    if token:
        remember_values({TOKEN_VARIABLE: token})
    return token


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected it by the section serve of params.yaml")
    return path


def _show_version(metrics: ServingMetrics, served: ServedVersion) -> None:
    metrics.model.info({"name": served.name, "version": served.number, "bundle_digest": served.digest})


def _write_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
