"""Where OpenLineage's events go: a file of the workspace, and a server where one is configured. Neither ever fails a stage."""

from __future__ import annotations

import http.client
import json
import logging
import os
import queue
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import UserError, first_line
from seq2seq_core.file_lock import wait_for_lock
from seq2seq_core.redaction.redactor import redact, redact_values
from seq2seq_core.tracking.dvc_experiment import find_home
from seq2seq_core.tracking.runs.openlineage_events import describe_stage_run, end_event, make_event

KEY_VARIABLE = "OPENLINEAGE_API_KEY"
ENDPOINT = "api/v1/lineage"
POST_SECONDS, LAST_SECONDS = 2.0, 3.0
"""Longest wait for the answer to one event, and for those that are left when a stage ends."""

MAX_BYTES, OLDER_FILES = 8 << 20, 4
"""Largest size of a file of events, and how many full ones are kept beside the newest."""

logger = logging.getLogger(__name__)


@contextmanager
def announced_run(stage: str, settings: Settings, paths: Paths, graph_key: str) -> Iterator[None]:
    """Tells of the begin and the end of a stage around the ``with`` block, whose error decides the last event.

    Args:
        stage: the stage's name.
        settings: ``runtime.openlineage_url``, and the model's name.
        paths: the workspace; appends to ``.s2s/openlineage.jsonl``, full ones become ``.s2s/openlineage.1.jsonl`` and so on.
        graph_key: names the run of the graph; empty: none.
    """
    try:
        run = describe_stage_run(stage, settings.register_.model_name, graph_key, paths)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with dvc.lock or dvc.yaml, the stage does not need them
        logger.warning("OpenLineage is told nothing of this execution: %s", first_line(error) or type(error).__name__)
        yield
        return
    emitter = _Emitter(paths, settings.runtime.openlineage_url)
    emitter.emit(make_event("START", run))
    try:
        yield
    except BaseException as error:
        emitter.emit(end_event(run, error))
        emitter.close()
        raise
    emitter.emit(end_event(run, None))
    emitter.close()


class _Emitter:
    """Writes events to the file at once, and sends them in order beside the stage's work.

    Args:
        paths: the workspace.
        url: of the server; empty: none.
    """

    def __init__(self, paths: Paths, url: str) -> None:
        self._file, self._url = find_home(paths).openlineage, url
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._send_all, name="openlineage", daemon=True) if url else None
        if self._thread is not None:
            self._thread.start()

    def emit(self, event: dict[str, Any]) -> None:
        """Writes an event, without secrets, and leaves it to be sent."""
        line = json.dumps(redact_values(event), ensure_ascii=False).encode("utf-8", "backslashreplace")
        try:
            _append(self._file, line + b"\n")
        except (OSError, UserError) as error:
            logger.warning("OpenLineage's event %s is not in %s: %s", event["eventType"], self._file, error)
        self._waiting.put(line)

    def close(self) -> None:
        """Waits a little for what is not sent yet."""
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(LAST_SECONDS)
            if self._thread.is_alive():
                logger.warning("the OpenLineage server at %s is slow: its events are in %s alone", _host(self._url), self._file)

    def _send_all(self) -> None:
        while (line := self._waiting.get()) is not None:
            try:
                _post(self._url, line)
            except (OSError, ValueError, http.client.HTTPException) as error:
                reason = redact(str(error)) or type(error).__name__
                place = _host(self._url)
                logger.warning("the OpenLineage server at %s takes no events (%s): they are in %s alone", place, reason, self._file)
                return


def _append(file: Path, line: bytes) -> None:
    """Appends a line to the newest file of events; a full one becomes an older one first, and the oldest is removed."""
    with wait_for_lock(file.with_name(f"{file.name}.lock")):  # stages that run at once rotate once and do not mix their lines
        if file.is_file() and file.stat().st_size + len(line) > MAX_BYTES:
            for number in range(OLDER_FILES, 0, -1):
                newer = _older(file, number - 1) if number > 1 else file
                if newer.is_file():
                    newer.replace(_older(file, number))
        with file.open("ab", buffering=0) as stream:
            stream.write(line)


def _older(file: Path, number: int) -> Path:
    """The place of the events before those of the newest file: ``openlineage.1.jsonl`` and so on, the newest first."""
    return file.with_name(f"{file.stem}.{number}{file.suffix}")


def _post(url: str, line: bytes) -> None:
    """Sends one event."""
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(KEY_VARIABLE):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"{url.rstrip('/')}/{ENDPOINT}", line, headers, method="POST")
    with urllib.request.urlopen(request, timeout=POST_SECONDS):
        pass


def _host(url: str) -> str:
    """The server's host: the rest of an address may be a secret."""
    return urlsplit(url).hostname or "an address without a host"
