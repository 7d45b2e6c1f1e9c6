"""The machine's load as curves of a run (MLflow shows them under "System metrics"), sent like all others: in the background."""

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
    """A ``with`` block in which load, memory, disk and network (and the GPU, with the package nvidia-ml-py) are recorded.

    MLflow's own thread for this gives up when its server is away for a moment; here the samples wait, as all records do.

    Args:
        recorder: of the run.
        every_seconds: between two samples; 0: none is taken.
        marks: the last step of each curve that the run has already: the samples go on behind them.
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
    """MLflow's readers of the machine (untyped); that of GPUs only where there is one that can be read."""
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
    """The figures of this moment, by the names that MLflow knows them by."""
    figures: dict[str, float] = {}
    for monitor in monitors:
        monitor.collect_metrics()
        figures |= {f"{PREFIX}{name}": float(value) for name, value in monitor.aggregate_metrics().items()}
        monitor.clear_metrics()
    return figures
