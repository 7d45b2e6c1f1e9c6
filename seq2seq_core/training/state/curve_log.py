"""The training curves: an append-only JSONL file that a resumed run continues without repeating a point, and the recorder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from seq2seq_core.recorder import Recorder
from seq2seq_core.training.state.full_disk import explain_full_disk


class CurveLog:
    """Writes points of curves to a file and to a recorder. A context manager.

    Args:
        path: the JSONL file.
        recorder: receives each point too.
        num_bytes: number of bytes of the file to keep: its size at the restored checkpoint (0: none).
    """

    def __init__(self, path: Path, recorder: Recorder, num_bytes: int) -> None:
        self.path, self.recorder = path, recorder
        self.file = path.open("ab")
        self.file.truncate(num_bytes)
        self.file.seek(0, os.SEEK_END)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.file.close()
        except OSError:  # a full disk again: the first error is the one to raise
            if error is None:
                raise

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds the values of some curves at a step."""
        self.file.write(json.dumps({"step": step, **metrics}).encode() + b"\n")
        self.recorder.log_metrics(metrics, step)

    def flush(self) -> int:
        """Returns the file's size once all points are on the disk.

        Raises:
            StorageFault: the disk is full.
        """
        with explain_full_disk(self.path.parent, self.path.name, self.file.tell()):
            self.file.flush()
            os.fsync(self.file.fileno())
        return self.file.tell()


def read_curves(path: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """The points of a file that :class:`CurveLog` wrote, as (step, values)."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            point = json.loads(line)
            yield point.pop("step"), point
