"""Recorder for a machine without MLflow: writes all records to a JSONL file in the work folder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

from seq2seq_core.redaction.redactor import redact_values


class LocalRecorder:
    """Writes each record as one JSON object per line.

    Args:
        path: the JSONL file; an existing one is replaced.
    """

    keeps_files = False

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")

    def log_params(self, params: Mapping[str, object]) -> None:
        """See :class:`Recorder`."""
        self._write("params", {name: str(value) for name, value in params.items()})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """See :class:`Recorder`."""
        self._write("metrics", dict(metrics), step=step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """See :class:`Recorder`."""
        self._write("tags", dict(tags))

    def log_text(self, text: str, name: str) -> None:
        """See :class:`Recorder`."""
        self._write("text", text, name=name)

    def log_file(self, path: Path, folder: str = "") -> None:
        """See :class:`Recorder`; records only the path, not the file."""
        self._write("file", str(path), folder=folder)

    def log_dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        """See :class:`Recorder`."""
        self._write("dataset", str(path), name=name, digest=digest, context=context)

    def flush(self) -> None:
        """See :class:`Recorder`."""
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, kind: str, value: object, **more: object) -> None:
        """Appends one record, without secrets."""
        record = redact_values({"kind": kind, "time": time.time(), "value": value, **more})
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
        self._file.flush()
