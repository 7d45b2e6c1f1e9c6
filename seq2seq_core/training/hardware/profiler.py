"""A profile of some updates: which operations took the time, as a table and as a trace for https://ui.perfetto.dev."""

from __future__ import annotations

import gzip
import logging
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch.profiler import ProfilerActivity, profile

from seq2seq_core import atomic
from seq2seq_core.recorder import Recorder

WARM_UP_STEPS = 5
"""Updates of this process before the first profiled one; they allocate memory and, with ``runtime.compile``, compile."""
MOST_ROWS = 40
TRACE_FILE, TABLE_FILE = "profile.trace.json.gz", "profile.txt"

logger = logging.getLogger(__name__)


class StepProfiler:
    """Profiles updates once, after a warm-up; writes the result to a folder and the recorder. A context manager.

    Args:
        num_steps: updates to profile; 0: none.
        folder: gets the table and the trace.
        recorder: gets both files as artifacts below ``profile``.
        device: device of the model.
    """

    def __init__(self, num_steps: int, folder: Path, recorder: Recorder, device: torch.device) -> None:
        self.num_steps, self.folder, self.recorder, self.device = num_steps, folder, recorder, device
        self._seen = 0
        self._running: profile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.finish()

    def after_update(self) -> None:
        """Starts or ends the profile when due."""
        if not self.num_steps:
            return
        self._seen += 1
        if self._seen == WARM_UP_STEPS:
            kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self.device.type == "cuda" else [])]
            self._running = profile(activities=kinds, record_shapes=True, acc_events=True)
            self._running.start()
        elif self._seen == WARM_UP_STEPS + self.num_steps:
            self.finish()

    def finish(self) -> None:
        """Ends a running profile, complete or not, and writes it."""
        if self._running is None:
            return
        seen, self._running = self._running, None
        seen.stop()
        draft = self.folder / ".profile.draft"
        seen.export_chrome_trace(str(draft))
        with draft.open("rb") as plain, gzip.open(self.folder / TRACE_FILE, "wb", compresslevel=6) as packed:
            shutil.copyfileobj(plain, packed)
        draft.unlink()
        order = "self_cuda_time_total" if self.device.type == "cuda" else "self_cpu_time_total"
        atomic.write_text(self.folder / TABLE_FILE, seen.key_averages().table(sort_by=order, row_limit=MOST_ROWS) + "\n")
        for name in (TRACE_FILE, TABLE_FILE):
            self.recorder.log_file(self.folder / name, "profile")
        logger.info("profile of %d updates: %s and %s in %s", self._seen - WARM_UP_STEPS, TABLE_FILE, TRACE_FILE, self.folder)
