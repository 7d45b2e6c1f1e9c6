"""One server of corpora for all tests of a module, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.corpus_services import Service, corpus_service

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(scope="package")
def running() -> Iterator[Service]:
    with corpus_service() as service:
        yield service


@pytest.fixture
def service(running: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    for name in (*PROXIES, "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    running.reset()
    return running
