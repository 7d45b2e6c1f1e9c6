"""A server of this machine with files, the API of OPUS and the hub of Hugging Face, in the layouts of the real services."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from tests.http_server import QuietHandler, http_server

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GERMAN = ["Guten Morgen .", "Wie geht es Ihnen ?", "Das Buch ist rot ."]
ENGLISH = ["Good morning .", "How are you ?", "The book is red ."]
LICENCE = "Creative Commons CC0\n\nNo rights reserved.\n"
CARD = """---
license: cc-by-4.0
configs:
- config_name: de-en
  data_files:
  - split: train
    path: de-en/train-*
  - split: validation
    path: de-en/validation-*
- config_name: de-fr
  data_files:
  - split: train
    path: de-fr/train-*
---
# Books
"""


@dataclass
class Service:
    """What a server answers, and what it was asked.

    Attributes:
        files: the bytes of each path.
        answers: status, headers and bytes of each path that no file has.
        redirects: addresses by path.
        cut: bytes after which an answer of a path breaks off, once for each entry.
        held: bytes after which an answer of a path waits for :meth:`release`, once.
        without_length: paths that are sent in chunks, without a length.
        port: of the server.
        requests: method, path with query, and headers in lower case, as they came.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    cut: dict[str, list[int]] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    without_length: set[str] = field(default_factory=set)
    port: int = 0
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """Forgets everything but the port."""
        empty = Service()
        for name in ("files", "answers", "redirects", "cut", "held", "without_length", "requests", "released"):
            setattr(self, name, getattr(empty, name))

    def release(self) -> None:
        """Ends the answers that wait."""
        self.released.set()

    def asked(self, method: str = "GET", path: str = "") -> list[dict[str, str]]:
        """The headers of the requests of a method, for paths that contain a text."""
        return [headers for got, place, headers in self.requests if got == method and path in place]

    def offer_opus(self, version: str, german: list[str] = GERMAN, english: list[str] = ENGLISH) -> None:
        """Adds a release of the corpus Books in German and English, which is the latest from now on."""
        for form, name, content in (
            ("moses", "de-en.txt.zip", moses_zip(german, english)),
            ("tmx", "de-en.tmx.gz", gzip.compress(tmx(german, english).encode(), mtime=0)),
        ):
            path = f"/OPUS-Books/{version}/{form}/{name}"
            self.files[path] = content
            entry = {
                "alignment_pairs": len(german), "corpus": "Books", "documents": "", "id": 1, "latest": "True",
                "preprocessing": form, "size": 1, "source": "de", "source_tokens": 12, "target": "en", "target_tokens": 12,
                "url": f"{self.url}{path}", "version": version,
            }  # fmt: skip
            for asked in (version, "latest"):
                self.answers[f"/opusapi?{form}&{asked}"] = (200, {}, json.dumps({"corpora": [entry]}).encode())
        self.answers.setdefault("/opusapi", (200, {}, b'{"corpora": []}'))

    def offer_dataset(self, name: str, files: Mapping[str, bytes], large: str = ".parquet") -> None:
        """Adds a dataset; its large files are stored elsewhere, by their SHA-256."""
        siblings: list[dict[str, Any]] = []
        for path, content in files.items():
            digest = hashlib.sha256(content).hexdigest()
            blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
            one: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": blob}
            place = f"/datasets/{name}/resolve/{COMMIT}/{path}"
            if path.endswith(large):
                one["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
            self.files[place] = content
            siblings.append(one)
        info = {"_id": "1", "id": name, "sha": COMMIT, "private": False, "gated": False, "disabled": False, "siblings": siblings}
        answer = (200, {"Content-Type": "application/json"}, json.dumps({**info, "downloads": 0, "likes": 0, "tags": []}).encode())
        for path in (f"/api/datasets/{name}", f"/api/datasets/{name}/revision/{COMMIT}", f"/api/datasets/{name}/revision/main"):
            self.answers[path] = answer


class _Handler(QuietHandler):
    """Answers GET and HEAD with files, whole or from a byte on."""

    protocol_version = "HTTP/1.1"

    def __init__(self, service: Service, *arguments: Any) -> None:
        self.service = service
        super().__init__(*arguments)

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client was killed, or has enough
            super().handle()

    def do_HEAD(self) -> None:
        self._reply(has_body=False)

    def do_GET(self) -> None:
        self._reply(has_body=True)

    def _reply(self, has_body: bool) -> None:
        service, parts = self.service, urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        service.requests.append((self.command, self.path, headers))
        if parts.path in service.redirects:
            self._send(302, {"Location": service.redirects[parts.path]}, b"", has_body)
        elif parts.path in service.files:
            self._send_file(parts.path, service.files[parts.path], headers, has_body)
        else:
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            key = f"{parts.path}?{asked.get('preprocessing')}&{asked.get('version')}"
            status, more, body = service.answers.get(key) or service.answers.get(parts.path) or (404, {}, b"nothing here")
            self._send(status, more, body, has_body)

    def _send_file(self, path: str, content: bytes, headers: Mapping[str, str], has_body: bool) -> None:
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        start = int(headers["range"].removeprefix("bytes=").rstrip("-")) if "range" in headers else 0
        if headers.get("if-range", tag) != tag:
            start = 0
        if start >= len(content):
            self._send(416, {"Content-Range": f"bytes */{len(content)}"}, b"", has_body)
            return
        more = {"ETag": tag, "Content-Type": "application/octet-stream"}
        if start:
            more["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cuts = self.service.cut.get(path, [])
        cut = cuts.pop(0) if cuts and has_body else None
        self._send(206 if start else 200, more, content[start:], has_body, cut, path in self.service.without_length)

    def _send(
        self, status: int, headers: Mapping[str, str], body: bytes, has_body: bool, cut: int | None = None, in_chunks: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header(*(("Transfer-Encoding", "chunked") if in_chunks else ("Content-Length", str(len(body)))))
        self.end_headers()
        if has_body and in_chunks:
            self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        elif has_body and (held := self.service.held.pop(urlsplit(self.path).path, None)) is not None:
            self.wfile.write(body[:held])
            self.service.released.wait()
            self.close_connection = True
        elif has_body:
            self.wfile.write(body[:cut])
        self.close_connection = self.close_connection or cut is not None


@contextmanager
def corpus_service() -> Iterator[Service]:
    """A server for the ``with`` block; it has nothing yet."""
    service = Service()
    with http_server(lambda *arguments: _Handler(service, *arguments)) as service.port:
        yield service


def moses_zip(german: list[str], english: list[str]) -> bytes:
    """An archive of OPUS with two aligned files, and files about them."""
    return zipped(
        {
            "README": "Corpus Name: Books\n", "LICENSE": LICENCE, "Books.de-en.de": "".join(f"{line}\n" for line in german),
            "Books.de-en.en": "".join(f"{line}\n" for line in english), "Books.de-en.ids": "1\n",
        }
    )  # fmt: skip


def tmx(german: list[str], english: list[str]) -> str:
    """A translation memory of OPUS."""
    units = "".join(
        f'    <tu>\n      <tuv xml:lang="de"><seg>{one}</seg></tuv>\n      <tuv xml:lang="en"><seg>{other}</seg></tuv>\n    </tu>\n'
        for one, other in zip(german, english, strict=True)
    )
    head = '<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4">\n'
    return f'{head}<header adminlang="en" srclang="de" segtype="sentence" o-tmf="unknown" />\n  <body>\n{units}  </body>\n</tmx>\n'


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive of files by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def translations(german: list[str], english: list[str]) -> bytes:
    """A Parquet file of rows with an id and a nested translation."""
    rows = [{"de": one, "en": other} for one, other in zip(german, english, strict=True)]
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": [str(number) for number in range(len(rows))], "translation": rows}), buffer)
    return buffer.getvalue()


def books_dataset() -> dict[str, bytes]:
    """The files of a dataset with two configurations, one of which has rows in German and English."""
    return {
        "README.md": CARD.encode(),
        ".gitattributes": b"*.parquet filter=lfs\n",
        "de-en/train-00000-of-00001.parquet": translations(GERMAN, ENGLISH),
        "de-en/validation-00000-of-00001.parquet": translations(GERMAN[:1], ENGLISH[:1]),
        "de-fr/train-00000-of-00001.parquet": translations(GERMAN, ENGLISH),
    }


def write_files(files: Mapping[str, bytes], folder: Path) -> Path:
    """The folder with files by name."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
