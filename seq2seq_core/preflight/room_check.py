"""What makes a run impossible on this machine, and the setting that would fit."""

from __future__ import annotations

from seq2seq_core.config.settings import Settings
from seq2seq_core.forecasts.forecast import Forecast
from seq2seq_core.preflight.machine_room import Room, format_size
from seq2seq_core.preflight.probe_result import ProbeResult
from seq2seq_core.preflight.stage_forecasts import DATA_STAGES, largest_fitting


def find_refusals(settings: Settings, forecast: Forecast, probe: ProbeResult, room: Room, checkpoints: int) -> list[str]:
    """Why a run cannot fit, a line each, with the setting that would; empty: it fits.

    Args:
        settings: of the workspace.
        forecast: of the run.
        probe: what was measured of the updates.
        room: what there is.
        checkpoints: bytes that the training keeps on the disk while it runs.
    """
    found = []
    train = forecast.find("train")
    peak = max(float(probe.peak_bytes), train.peak_bytes.mid if train is not None else 0.0)
    device_full = probe.device_limit and probe.device_bytes > probe.device_limit
    if not probe.fits or peak > room.memory_bytes or device_full:
        fitting = largest_fitting(_with_peak(probe, peak), room.memory_bytes)
        need, has = (probe.device_bytes, probe.device_limit) if device_full else (peak, room.memory_bytes)
        where = "memory of the GPU" if device_full else "memory"
        advice = (
            f"train.batch_tokens must be at most {fitting} (train.accumulation makes up for it), got {probe.batch_tokens}"
            if fitting
            else "even an update of one pair does not fit: model.width, model.encoder_layers or the vocabulary must be smaller"
        )
        found.append(f"{where}: train needs {format_size(need)}, there is {format_size(has)}: {advice}")
    for stage in forecast.stages:
        if stage.stage in DATA_STAGES and stage.peak_bytes.mid > room.memory_bytes:
            found.append(
                f"memory: {stage.stage} needs {format_size(stage.peak_bytes.mid)}, there is {format_size(room.memory_bytes)}: "
                f"runtime.memory_limit must be less, got {settings.runtime.memory_limit!r}"
            )
    need = forecast.disk_bytes.mid + checkpoints
    if need > room.disk_bytes:
        found.append(
            f"disk: the run needs {format_size(need)}, there is {format_size(room.disk_bytes)}: "
            f"{_disk_advice(settings, need, room)}"
        )
    return found


def _with_peak(probe: ProbeResult, peak: float) -> ProbeResult:
    """The probe with the corrected peak of the process."""
    return probe.model_copy(update={"peak_bytes": max(round(peak), probe.base_bytes)})


def _disk_advice(settings: Settings, need: float, room: Room) -> str:
    missing = format_size(need - room.disk_bytes)
    fewer = " runtime.num_checkpoints: 1 needs less," if settings.runtime.num_checkpoints > 1 else ""
    rest = "runtime.incremental: false keeps no databases, `dvc gc --workspace` removes old caches"
    return f"{missing} more must be free;{fewer} {rest}"
