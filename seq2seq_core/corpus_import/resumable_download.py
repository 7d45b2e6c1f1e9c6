"""Downloads that go on where a killed or broken one ended, and count only when they are whole and their checksum is right."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seq2seq_core.atomic import write_text
from seq2seq_core.console import ProgressMode, format_seconds, progress
from seq2seq_core.corpus_import.checksums import Checksum, compute
from seq2seq_core.corpus_import.http_answers import BrokenOff, Web
from seq2seq_core.corpus_import.size_limit import SizeLimit
from seq2seq_core.corpus_import.source_record import Fetched
from seq2seq_core.errors import EnvironmentFault, UserError
from seq2seq_core.redaction.redactor import redact

MAX_ATTEMPTS = 5
"""Attempts in a row that bring no byte."""
PAUSE_SECONDS = 2.0
"""Pause after the first failed attempt; each later one is twice as long."""
BLOCK = 1 << 16
"""Bytes that are written at once: a connection that breaks loses at most so many."""
MEGABYTE = 1e6
PART_ENDING, RECEIPT_ENDING = ".part", ".fetched.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Download:
    """A file to fetch.

    Attributes:
        url: its address; may hold credentials.
        name: its name, which may have folders.
        size: its bytes, where they are known for sure.
        checksum: what its bytes must have.
        headers: of the request; may hold a token.
    """

    url: str = field(repr=False)
    name: str
    size: int | None = None
    checksum: Checksum | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Downloader:
    """Fetches files into a folder that outlives this process.

    Args:
        folder: the folder of finished files; unfinished ones and receipts are in the folder ``<name>.state`` beside it.
        limit: bounds all files together.
        web: sends the requests.
    """

    def __init__(self, folder: Path, limit: SizeLimit, web: Web) -> None:
        self.folder, self.limit, self.web = folder, limit, web
        self.state = folder.with_name(f"{folder.name}.state")

    def fetch(self, download: Download) -> Fetched:
        """Fetches a file, or what is missing of it.

        Args:
            download: the file.

        Raises:
            UserError: the server refuses, the file is larger than the limit, or its checksum is another one.
            EnvironmentFault: the server does not answer, also not a while later.
        """
        place = self.folder / download.name
        part, receipt = (self.state / f"{download.name}{ending}" for ending in (PART_ENDING, RECEIPT_ENDING))
        for file in (place, part):
            file.parent.mkdir(parents=True, exist_ok=True)
        known = _read_json(receipt)
        url = redact(download.url)
        stated = None if download.checksum is None else str(download.checksum)
        is_same = known.get("url") == url and known.get("stated") == stated
        if is_same and place.is_file() and place.stat().st_size == known.get("bytes"):
            self.limit.take(int(known["bytes"]), download.name)
            logger.info("%s: was fetched before", download.name)
            return Fetched(name=download.name, url=url, bytes=known["bytes"], sha256=known["sha256"])
        self._complete(download, part)
        self.limit.take(part.stat().st_size, download.name)
        _check(download, part)
        fetched = Fetched(name=download.name, url=url, bytes=part.stat().st_size, sha256=compute(part, "sha256").digest)
        part.replace(place)
        _state_of(part).unlink(missing_ok=True)
        write_text(receipt, json.dumps({**fetched.model_dump(), "stated": stated}))
        return fetched

    def _complete(self, download: Download, part: Path) -> None:
        """Asks for what is missing until the file is whole."""
        failures = 0
        while True:
            before = _size(part)
            try:
                self._ask(download, part)
                return
            except BrokenOff as broken:
                failures = 0 if _size(part) > before else failures + 1
                if failures == MAX_ATTEMPTS:
                    raise EnvironmentFault(f"{broken}; what has come is kept, run the same command again to go on") from None
                pause = max(PAUSE_SECONDS * 2 ** max(failures - 1, 0), broken.wait_seconds)
                logger.warning("%s; trying again in %s", broken, format_seconds(pause))
                time.sleep(pause)

    def _ask(self, download: Download, part: Path) -> None:
        """Sends one request for what is missing, and appends its answer."""
        state_file = _state_of(part)
        start, headers = _where_to_go_on(part, _read_json(state_file), download)
        with closing(self.web.get(download.url, {**download.headers, **headers}, what=download.name)) as answer:
            if answer.status_code == 416 and answer.headers.get("Content-Range") == f"bytes */{start}":
                return  # a kill came after the last byte
            if start and answer.status_code == 416:
                part.unlink()
                raise BrokenOff(f"{download.name}: the server has no bytes from {start:,} on, so that it starts afresh")
            if answer.status_code != 206 or not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                start = 0
            length = answer.headers.get("Content-Length", "")
            total = start + int(length) if length.isdecimal() else None
            self._check_size(download, total)
            if start == 0:
                part.unlink(missing_ok=True)
            tag, date = answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
            state = {"url": redact(download.url), "validator": date if not tag or tag.startswith("W/") else tag}
            write_text(state_file, json.dumps(state))
            self._append(download, part, answer, start, total)

    def _append(self, download: Download, part: Path, answer: Any, start: int, total: int | None) -> None:
        """Writes an answer's bytes behind those that are there."""
        done, shown, in_all = start, 0.0, float("inf") if total is None else total
        mode: ProgressMode = "auto" if total is not None and total >= MEGABYTE else "plain"
        if start:
            logger.info("%s: goes on at %.1f MB", download.name, start / MEGABYTE)
        with (
            progress(f"fetch {download.name}", _megabytes(in_all), "MB", mode, _megabytes(start)) as bar,
            part.open("ab") as file,
        ):
            for block in self.web.blocks(answer, BLOCK, what=download.name, as_stored=True):
                done += len(block)
                self.limit.check(done, download.name)
                file.write(block)
                file.flush()
                if in_all >= MEGABYTE and _megabytes(done) != shown:  # a small file is there at once
                    shown = _megabytes(done)
                    bar.update(shown)
        if total is not None and done != total:
            raise BrokenOff(f"{download.name}: {done:,} of {total:,} bytes have come")

    def _check_size(self, download: Download, total: int | None) -> None:
        """Refuses a file of another size than was stated, or one that is too large."""
        if total is not None and download.size is not None and total != download.size:
            raise UserError(f"{download.name}: the server sends {total:,} bytes; expected {download.size:,}, as was stated")
        self.limit.check(total or 0, download.name)


def _where_to_go_on(part: Path, state: Mapping[str, Any], download: Download) -> tuple[int, dict[str, str]]:
    """The first missing byte, and the headers that ask for the rest of the very same file."""
    size = _size(part)
    is_pinned = download.checksum is not None
    if not size or state.get("url") != redact(download.url) or not (state.get("validator") or is_pinned):
        return 0, {}
    headers = {"Range": f"bytes={size}-"}
    if state.get("validator"):
        headers["If-Range"] = str(state["validator"])
    return size, headers


def _check(download: Download, part: Path) -> None:
    """Compares with what was stated; a file with other bytes is deleted, so that the next run fetches it afresh."""
    size = part.stat().st_size
    if download.size is not None and size != download.size:
        part.unlink()
        raise UserError(f"{download.name}: has {size:,} bytes; expected {download.size:,}, as was stated")
    if download.checksum is None:
        return
    found = compute(part, download.checksum.algorithm)
    if found != download.checksum:
        part.unlink()
        raise UserError(f"{download.name}: has the checksum {found}; expected {download.checksum}. It was not kept")


def _megabytes(size: float) -> float:
    return round(size / MEGABYTE, 1)


def _state_of(part: Path) -> Path:
    """Which file of which server an unfinished file is of."""
    return part.with_name(f"{part.name}.json")


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
