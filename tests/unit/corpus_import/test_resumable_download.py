"""Downloads: what a broken connection, a changed file, a wrong checksum, a refusal and a proxy lead to."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path

import pytest

from seq2seq_core.corpus_import import resumable_download
from seq2seq_core.corpus_import.checksums import parse_checksum
from seq2seq_core.corpus_import.http_answers import Web
from seq2seq_core.corpus_import.resumable_download import Download, Downloader
from seq2seq_core.corpus_import.size_limit import SizeLimit
from seq2seq_core.errors import EnvironmentFault, UserError
from tests.corpus_services import Service, corpus_service

CONTENT = bytes(range(256)) * 8000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def one_file(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable_download, "PAUSE_SECONDS", 0.0)
    service.files = {"/a.tsv": CONTENT}


def fetch(service: Service, folder: Path, checksum: str = "", most_bytes: int = 10**8) -> bytes:
    downloader = Downloader(folder / "files", SizeLimit(most_bytes), Web())
    stated = parse_checksum(checksum) if checksum else None
    fetched = downloader.fetch(Download(f"{service.url}/a.tsv", "a.tsv", checksum=stated))
    content = (folder / "files" / "a.tsv").read_bytes()
    assert (fetched.bytes, fetched.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    return content


def test_a_broken_download_goes_on_at_its_byte(service: Service, tmp_path: Path) -> None:
    block = resumable_download.BLOCK
    service.cut["/a.tsv"] = [10 * block + 9, 5 * block + 1]
    assert fetch(service, tmp_path) == CONTENT
    assert [headers.get("range") for headers in service.asked()] == [None, f"bytes={10 * block}-", f"bytes={15 * block}-"]
    assert fetch(service, tmp_path) == CONTENT
    assert len(service.asked()) == 3  # what is whole is not asked for again


def test_a_download_that_was_killed_behind_its_last_byte_is_whole(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(resumable_download, "compute", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        fetch(service, tmp_path)
    service.files["/a.tsv"] = bytes(CONTENT)
    assert fetch(service, tmp_path) == CONTENT
    assert [headers.get("range") for headers in service.asked()] == [None, f"bytes={len(CONTENT)}-"]


def test_a_file_that_a_server_calls_packed_is_kept_as_it_comes(service: Service, tmp_path: Path) -> None:
    service.files = {}
    service.answers["/a.tsv"] = (200, {"Content-Encoding": "gzip"}, CONTENT)
    assert fetch(service, tmp_path, f"sha256:{DIGEST}") == CONTENT


def test_a_redirect_to_what_is_no_address_is_refused(service: Service, tmp_path: Path) -> None:
    for address in ("http://[::1", "file:///etc/hostname"):
        service.redirects["/a.tsv"] = address
        with pytest.raises(UserError, match=r"a\.tsv: cannot be asked for"):
            fetch(service, tmp_path)


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(service: Service, tmp_path: Path) -> None:
    service.cut["/a.tsv"] = [1_000_000] + [0] * resumable_download.MAX_ATTEMPTS
    with pytest.raises(EnvironmentFault, match=r"a\.tsv: .*what has come is kept, run the same command again to go on"):
        fetch(service, tmp_path)
    service.files["/a.tsv"], service.cut = b"another file" * 200_000, {}
    assert fetch(service, tmp_path) == b"another file" * 200_000
    assert service.asked()[-1]["range"] == f"bytes={1_000_000 // resumable_download.BLOCK * resumable_download.BLOCK}-"


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_file_with_another_checksum_is_refused_and_not_kept(service: Service, tmp_path: Path, algorithm: str) -> None:
    right = f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()}"
    service.files["/a.tsv"] = b"x" + CONTENT[1:]
    with pytest.raises(UserError, match=rf"a\.tsv: has the checksum {algorithm}:[0-9a-f]+; expected {right}\. It was not kept"):
        fetch(service, tmp_path, right)
    assert not [path for path in tmp_path.rglob("a.tsv*") if path.stat().st_size > 1000]
    service.files["/a.tsv"] = CONTENT
    assert fetch(service, tmp_path, right) == CONTENT


@pytest.mark.parametrize("in_chunks", [False, True])
def test_no_more_is_fetched_than_the_limit(service: Service, tmp_path: Path, in_chunks: bool) -> None:
    service.without_length = {"/a.tsv"} if in_chunks else set()
    assert fetch(service, tmp_path / "fits", most_bytes=len(CONTENT)) == CONTENT
    with pytest.raises(UserError, match=r"a\.tsv: has more than the 0\.002 GB that one import may take in all"):
        fetch(service, tmp_path / "more", most_bytes=2_000_000)
    assert not (tmp_path / "more" / "files" / "a.tsv").exists()


@pytest.mark.parametrize(
    ("status", "headers", "expected", "message"),
    [
        (404, {}, UserError, "answered 404 Not Found: it has nothing there"),
        (401, {}, UserError, "answered 401 Unauthorized: it asks who you are; expected a token (HF_TOKEN"),
        (403, {}, UserError, "answered 403 Forbidden: it forbids it"),
        (418, {}, UserError, "refuses it"),
        (503, {"Retry-After": "0"}, EnvironmentFault, "answered 503 Service Unavailable; what has come is kept"),
        (200, {"Content-Type": "text/html"}, UserError, "answered with a web page; expected the address of a file"),
    ],
)
def test_a_refusal_is_a_message(
    service: Service, tmp_path: Path, status: int, headers: dict[str, str], expected: type[Exception], message: str
) -> None:
    service.files = {}
    service.answers["/a.tsv"] = (status, headers, b"<html>")
    with pytest.raises(expected) as caught:
        fetch(service, tmp_path)
    assert str(caught.value).startswith(f"a.tsv: the server 127.0.0.1:{service.port} ")
    assert message in str(caught.value)
    assert len(service.asked()) == (resumable_download.MAX_ATTEMPTS if status == 503 else 1)


def test_a_host_that_does_not_answer_is_named_with_its_proxy(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable_download, "MAX_ATTEMPTS", 1)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(EnvironmentFault, match=r"a\.tsv: no connection to 127\.0\.0\.1:\d+ \(through the proxy of http_proxy"):
        fetch(service, tmp_path)


def test_requests_take_the_proxy_of_the_environment(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", service.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Downloader(tmp_path / "files", SizeLimit(10**8), Web()).fetch(Download("http://corpora.invalid/a.tsv", "a.tsv"))
    assert [path for _, path, _ in service.requests] == ["http://corpora.invalid/a.tsv"]


def test_passwords_are_those_of_netrc(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password geheim\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert fetch(service, tmp_path) == CONTENT
    assert service.asked()[0]["authorization"] == f"Basic {b64encode(b'me:geheim').decode()}"


def test_a_token_stays_with_its_host(service: Service, tmp_path: Path) -> None:
    with corpus_service() as other:
        other.files["/a.tsv"] = CONTENT
        service.redirects["/a.tsv"] = f"{other.url}/a.tsv"
        download = Download(f"{service.url}/a.tsv", "a.tsv", headers={"Authorization": "Bearer hf_geheim1234"})
        Downloader(tmp_path / "files", SizeLimit(10**8), Web()).fetch(download)
        assert service.asked()[0]["authorization"] == "Bearer hf_geheim1234"
        assert [headers.get("authorization") for headers in other.asked()] == [None]
    assert "geheim" not in repr(download)
