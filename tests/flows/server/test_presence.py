from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    PREFECT_CLIENT_CUSTOM_HEADERS,
    temporary_settings,
)

from flows.server.local_server import pages_file, prefect_server, running_pages
from flows.server.presence import is_away, open_probe, probe_server
from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import EnvironmentFault
from tests.http_server import QuietHandler, http_server

ADMITTED = {PREFECT_CLIENT_CUSTOM_HEADERS: {"X-Gate": "open"}}


@pytest.fixture
def gated_api() -> Iterator[str]:
    """The address of an API that hangs up on requests without a header of Prefect's settings."""

    class Gate(QuietHandler):
        def do_GET(self) -> None:
            if self.headers.get("X-Gate") == "open":
                self.answer(200 if self.path == "/api/health" else 404)
            else:
                self.connection.close()

    with http_server(Gate) as port:
        yield f"http://127.0.0.1:{port}/api"


@pytest.mark.parametrize("is_admitted", [True, False])
def test_every_probe_sends_the_headers_of_prefects_settings(gated_api: str, tmp_path: Path, is_admitted: bool) -> None:
    paths = Paths(tmp_path)
    pages_file(paths).parent.mkdir(parents=True)
    pages_file(paths).write_text(json.dumps({"api_url": gated_api}))
    with temporary_settings({PREFECT_API_URL: gated_api, **(ADMITTED if is_admitted else {})}):
        assert is_away() != is_admitted
        assert running_pages(paths) == (gated_api if is_admitted else None)
        if is_admitted:
            with prefect_server(paths, 1.0) as used:
                assert used == gated_api
        else:
            with pytest.raises(EnvironmentFault, match="does not answer"), prefect_server(paths, 1.0):
                pass


def test_a_probe_tells_an_answer_with_an_error_from_none(gated_api: str) -> None:
    with temporary_settings(ADMITTED):
        assert probe_server(gated_api) is None
        assert isinstance(probe_server(f"{gated_api}/more"), httpx.HTTPStatusError)
        assert isinstance(probe_server("http://127.0.0.1:9/api"), httpx.ConnectError)
        assert probe_server("http://[bad/api") is not None
        assert probe_server("http://127.0.0.1:bad/api") is not None


def test_a_probe_asks_anew_each_time_and_from_any_thread() -> None:
    answers, requests = [503, 200], []

    class Server(QuietHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.answer(answers[0])

    with http_server(Server) as port, open_probe(f"http://127.0.0.1:{port}/api") as ask, ThreadPoolExecutor() as threads:
        assert isinstance(threads.submit(ask).result(), httpx.HTTPStatusError)
        del answers[0]
        assert [ask(), threads.submit(ask).result()] == [None, None]
    assert requests == ["/api/health"] * 3, "Prefect's clients ask again after a 503 by default"
    with open_probe("http://127.0.0.1:9/api") as ask:
        assert isinstance(ask(), httpx.ConnectError)


def test_certificates_that_cannot_be_read_are_no_crash(gated_api: str, tmp_path: Path) -> None:
    with temporary_settings({**ADMITTED, PREFECT_API_SSL_CERT_FILE: str(tmp_path / "none.pem")}):
        assert isinstance(probe_server(gated_api), FileNotFoundError)
