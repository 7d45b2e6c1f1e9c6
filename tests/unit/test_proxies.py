from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import httpx
import pytest
import requests

from seq2seq_core.proxies import describe_proxy, exempt_loopback
from tests.http_server import QuietHandler, http_server

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.setenv(name.upper(), "")
        monkeypatch.delenv(name)
        monkeypatch.delenv(name.upper())


@pytest.fixture
def address() -> Iterator[str]:
    """A server of this machine that answers every request."""

    class Answers(QuietHandler):
        def do_GET(self) -> None:
            self.answer(204)

    with http_server(Answers) as port:
        yield f"http://127.0.0.1:{port}"


def by_httpx(url: str) -> int:
    return httpx.get(url).status_code


def by_requests(url: str) -> int:
    return requests.get(url, timeout=300).status_code


@pytest.mark.parametrize("get", [by_httpx, by_requests])
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_server_of_this_machine_is_reached_although_a_dead_proxy_is_set(
    variable: str, get: Callable[[str], int], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with pytest.raises((httpx.HTTPError, requests.RequestException)):
        get(address)
    exempt_loopback()
    assert get(address) == 204


def test_hosts_that_are_named_already_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "registry.example, 127.0.0.1")
    exempt_loopback()
    exempt_loopback()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "registry.example,127.0.0.1,localhost,::1"


def test_without_a_proxy_nothing_is_set() -> None:
    exempt_loopback()
    assert "NO_PROXY" not in os.environ


def test_a_message_names_the_proxy_that_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe_proxy("https://mlflow.example") == ""
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert describe_proxy("https://mlflow.example") == ""
    assert describe_proxy("http://mlflow.example").startswith(" (through the proxy of http_proxy; ")
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    assert describe_proxy("https://mlflow.example").startswith(" (through the proxy of all_proxy; ")
    exempt_loopback()
    assert describe_proxy("http://127.0.0.1:5000") == ""
    assert [describe_proxy(address) for address in ("postgresql://db.example/runs", "http://[bad", "mlflow.example")] == [""] * 3
