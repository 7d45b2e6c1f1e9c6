"""The machine's load as curves of a run, sent in the background; MLflow shows them under "System metrics"."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from seq2seq_core.tracking.background_thread import run_beside
from seq2seq_core.tracking.mlflow.mlflow_recorder import MlflowRecorder

PREFIX = "system/"

logger = logging.getLogger(__name__)


@contextmanager
def sample_machine(recorder: MlflowRecorder, every_seconds: float, marks: Mapping[str, int]) -> Iterator[None]:
    """Records load, memory, disk and network (and GPU, with the package nvidia-ml-py) during the ``with`` block.

    MLflow's own thread for this stops when its server does not answer for a moment; here the samples wait, like all records.

    Args:
        recorder: the run's recorder.
        every_seconds: time between two samples; 0 for no samples.
        marks: the last step of each curve that the run already has; the samples continue after it.
    """
    if not every_seconds:
        yield
        return
    monitors = _open_monitors()
    first = max((step + 1 for name, step in marks.items() if name.startswith(PREFIX)), default=0)

    def watch(is_over: threading.Event) -> None:
        step = first
        while not is_over.wait(every_seconds):
            recorder.send_points(step, time.time_ns() // 1_000_000, _sample(monitors))
            step += 1

    with run_beside(watch, "system-metrics"):
        yield


def _open_monitors() -> list[Any]:
    """MLflow's monitors of the machine (untyped); the GPU's only where a GPU can be read."""
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    kinds: list[Any] = [CPUMonitor, DiskMonitor, NetworkMonitor]
    monitors = [kind() for kind in kinds]
    try:
        monitors.append(GPUMonitor())  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001 - the package or the driver may be missing, each with an error of its own
        logger.debug("no system metrics of a GPU: %s", error)
    return monitors


def _sample(monitors: list[Any]) -> dict[str, float]:
    """The current figures, by MLflow's names."""
    figures: dict[str, float] = {}
    for monitor in monitors:
        monitor.collect_metrics()
        figures |= {f"{PREFIX}{name}": float(value) for name, value in monitor.aggregate_metrics().items()}
        monitor.clear_metrics()
    return figures
