"""The server's application over a decoder of the test's own, behind real sockets, in this process."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import uvicorn

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.serving.serve import ServeSection
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.prediction import Alignment, Prediction, TextHypothesis
from seq2seq_core.registry.packaging import served_signature
from seq2seq_core.serving.batching.batcher import Batcher
from seq2seq_core.serving.batching.ticket import Mode, Row
from seq2seq_core.serving.front.application import Application
from seq2seq_core.serving.front.bounded_connection import connection_class
from seq2seq_core.serving.front.served_version import ServedVersion, StubModel
from seq2seq_core.serving.front.serving_metrics import ServingMetrics
from seq2seq_core.serving.request_reader import RequestReader
from seq2seq_core.serving.row_service import RowService
from seq2seq_core.tracking.mlflow.store import quiet_imports
from tests.flows.waiting import wait_until


def answer_to(text: str, place: int, mode: Mode) -> TextHypothesis:
    """The source in capitals; of further hypotheses, their number after it. Each symbol attends to those up to its own."""
    alignment = None
    if mode.keep_alignments:
        weights_TS = np.tril(np.arange(1, len(text) + 1, dtype=np.float32) * np.ones((len(text), 1), dtype=np.float32))
        alignment = Alignment(list(text), list(text.upper()), weights_TS / weights_TS.sum(axis=1, keepdims=True))
    return TextHypothesis(f"{text.upper()}{place or ''}", -1.0 - place, -1.0, alignment)


class Capitals:
    """Turns sources into capitals; a source ``wait`` takes until nobody waits for it, or until it is let go."""

    def __init__(self) -> None:
        self.is_alive = True
        self.waiting = self.stopped = 0
        self.go = threading.Semaphore(0)
        self.modes: list[Mode] = []
        self.tags: list[Mapping[str, str]] = []
        self.phrases: list[Phrases | None] = []

    def prepare(self) -> None:
        pass

    def decode(self, rows: Sequence[Row], mode: Mode, stop: Callable[[], bool]) -> list[Prediction]:
        texts = [str(row.source) for row in rows]
        self.modes.append(mode)
        self.tags, self.phrases = [row.tags for row in rows], [row.phrases for row in rows]
        if "fail" in texts:
            raise RuntimeError(f"out of memory in {Path.cwd()}/secret.py")
        if "wait" in texts:
            self.waiting += 1
            while not self.go.acquire(timeout=0.01):
                if stop():
                    self.stopped += 1
                    return []
        return [Prediction(tuple(answer_to(text, place, mode) for place in range(mode.options.num_hypotheses))) for text in texts]

    def close(self) -> None:
        pass


@dataclass
class Reply:
    """An answer of the server."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def message(self) -> str:
        return str(json.loads(self.body)["message"])


@dataclass
class House:
    """A running server."""

    port: int
    decoder: Capitals
    served: ServedVersion
    server: uvicorn.Server
    log: list[dict[str, Any]] = field(default_factory=list)
    certificate: Path | None = None

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        if self.certificate is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        else:
            context = ssl.create_default_context(cafile=str(self.certificate))
            context.check_hostname = False
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()})
        finally:
            connection.close()

    def score(self, body: Any, content_type: str = "application/json") -> Reply:
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.ask("POST", "/invocations", content, {"Content-Type": content_type})

    def connect(self, data: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), 60)
        connection.sendall(data)
        return connection


Opener = Callable[..., Any]


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory, make_bundle: Callable[..., None]) -> Path:
    """A bundle, of which the tokenisers are used."""
    paths = Paths(tmp_path_factory.mktemp("front"))
    make_bundle(paths)
    return paths.served


@pytest.fixture(scope="session")
def open_house(small_bundle: Path) -> Opener:
    """Runs the server for the ``with`` block, with the given settings of ``serve``."""

    @contextmanager
    def open_one(
        token: str = "", tls: tuple[Path, Path] | None = None, bundle: Path = small_bundle, **values: Any
    ) -> Iterator[House]:
        settings = ServeSection.model_validate(values)
        decoder = Capitals()
        reader = RequestReader.from_folder(bundle, settings.limits)
        service = RowService(reader, Batcher([decoder], settings.limits, lambda report: metrics.observe_batch(report)))
        with quiet_imports():
            from mlflow.models import Model
            from mlflow.pyfunc import PyFuncModel, scoring_server
        signature = served_signature(DecodingOptions())
        described = Model(signature=signature, flavors={"python_function": {"loader_module": "none"}})
        version: Any = SimpleNamespace(name="dates", version="3", tags={"bundle_digest": "abc"})
        assert signature.params is not None
        names = [one.name for one in signature.params.params]
        application = scoring_server.init(PyFuncModel(described, StubModel(service)))
        served = ServedVersion(version, service, cast(Any, [decoder]), application, names)
        metrics = ServingMetrics(service.batcher.load)
        log: list[dict[str, Any]] = []
        front = Application(lambda: served, settings, metrics, token, write_access=lambda line: log.append(json.loads(line)))
        certificate, key = tls or (None, None)
        config = uvicorn.Config(
            front, http=connection_class(settings.connections), log_config=None, access_log=False, ssl_certfile=certificate,
            ssl_keyfile=key,
        )  # fmt: skip
        server, listener = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0), backlog=256)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started, "the server")
            yield House(listener.getsockname()[1], decoder, served, server, log, tls[0] if tls else None)
        finally:
            decoder.go.release(1000)
            server.should_exit = True
            thread.join()
            service.batcher.close()

    return open_one


@pytest.fixture(scope="module")
def house(open_house: Opener) -> Iterator[House]:
    with open_house() as opened:
        yield opened
