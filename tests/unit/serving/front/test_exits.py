"""What leaves the server beside predictions: errors without paths, metrics, the access log; and who may ask."""

from __future__ import annotations

import datetime
import json
import logging
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from tests.keys import write_keys

from .conftest import House, Opener


def test_an_error_of_the_server_is_in_its_log_and_not_in_the_answer(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = house.score({"inputs": ["fail"]})
    assert answer.status == 500
    request = answer.headers["x-request-id"]
    assert answer.message == f"the request failed; the server's log has the reason (request {request})"
    assert f"request {request} failed: " in caplog.text
    assert f"out of memory in {Path.cwd()}/secret.py" in caplog.text


def test_metrics_count_requests_batches_and_tokens(open_house: Opener) -> None:
    with open_house() as house:
        house.score({"inputs": ["a", "b"]})
        house.score({"inputs": [None]})
        house.ask("GET", "/some/where")
        text = house.ask("GET", "/metrics").body.decode()
    for line in (
        's2s_requests_total{path="/invocations",status="200"} 1.0',
        's2s_requests_total{path="/invocations",status="400"} 1.0',
        's2s_requests_total{path="other",status="404"} 1.0',
        's2s_request_seconds_count{path="/invocations"} 2.0',
        "s2s_rows_total 2.0",
        "s2s_batch_rows_sum 2.0",
        "s2s_source_tokens_total 4.0",
        "s2s_queue_rows 0.0",
    ):
        assert line in text.splitlines(), text


def test_the_access_log_has_a_line_for_each_request_without_its_texts(open_house: Opener) -> None:
    with open_house() as house:
        answer = house.score({"inputs": ["my name", "b"]})
        house.ask("GET", "/ping?key=1")
    first, second = house.log
    assert (first.pop("time"), first.pop("seconds")) > ("2020", 0)
    assert first == {
        "request": answer.headers["x-request-id"], "client": "127.0.0.1", "method": "POST", "path": "/invocations", "status": 200,
        "rows": 2, "bytes": 28, "model": "dates/3",
    }  # fmt: skip
    assert (second["path"], second["status"]) == ("/ping", 200)


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    private, _ = write_keys(folder, "tls")
    key = serialization.load_pem_private_key(private.read_bytes(), None)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "served")]), datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())  # type: ignore[arg-type]
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    certificate = builder.add_extension(constraints, critical=True).sign(key, hashes.SHA256())  # type: ignore[arg-type]
    file = folder / "tls.crt"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return file, private


def test_a_token_is_asked_for_and_the_connection_is_encrypted(open_house: Opener, tmp_path: Path) -> None:
    with open_house(token="s3cret-token", tls=write_certificate(tmp_path)) as house:
        body = json.dumps({"inputs": ["a"]})
        answers = {
            header: house.ask("POST", "/invocations", body, {"Content-Type": "application/json", "Authorization": header})
            for header in ("", "Bearer other", "Basic s3cret-token", "Bearer s3cret-token")
        }
        assert [answer.status for answer in answers.values()] == [401, 401, 401, 200]
        assert answers[""].headers["www-authenticate"] == "Bearer"
        assert [house.ask("GET", path).status for path in ("/ping", "/health", "/ready", "/metrics", "/version")] == [200] * 3 + [
            401
        ] * 2
