"""A forecast for a terminal, and as values of JSON's types."""

from __future__ import annotations

from typing import Any

from seq2seq_core.console import format_seconds
from seq2seq_core.forecasts.cost_range import CostRange
from seq2seq_core.forecasts.forecast import Forecast, StageForecast
from seq2seq_core.preflight.machine_room import format_size
from seq2seq_core.preflight.preflight_run import Preflight

UNTOUCHED = 0.02
"""A correction that is nearer to 1 is not told."""


def describe_preflight(found: Preflight) -> str:
    """The forecast, a line for each stage.

    Args:
        found: the result of a preflight.
    """
    forecast = found.forecast
    heads = ("stage", "time", "", "CPU", "memory", "outputs", "")
    rows = [heads, *(_row(stage) for stage in forecast.stages)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    memory = max(stage.peak_bytes.mid for stage in forecast.stages)
    return "\n".join(
        [
            *lines,
            f"the whole graph: {_span(forecast.seconds)}, {format_seconds(forecast.cpu_seconds.mid)} of CPU",
            *_training_lines(forecast, found),
            f"memory: {format_size(memory)} at most, there is {format_size(found.room.memory_bytes)}",
            *_device_lines(found),
            f"disk: {format_size(forecast.disk_bytes.mid)} more, {format_size(found.checkpoint_bytes)} besides while train runs; "
            f"there is {format_size(found.room.disk_bytes)}",
            f"measured in {format_seconds(found.seconds)} on {found.sample_rows:,} of {forecast.corpus_rows:,} rows",
            *(f"note: {note}" for note in found.notes),
        ]
    )


def _row(stage: StageForecast) -> tuple[str, ...]:
    factor = stage.corrections.get("seconds", 1.0)
    learned = f"x {factor:.2f} by earlier runs" if abs(factor - 1) > UNTOUCHED else ""
    expected, cpu = f"most likely {format_seconds(stage.seconds.mid)}", format_seconds(stage.cpu_seconds.mid)
    return (
        stage.stage, _span(stage.seconds), expected, cpu, format_size(stage.peak_bytes.mid), format_size(stage.output_bytes.mid),
        learned,
    )  # fmt: skip


def _span(cost: CostRange) -> str:
    low, high = format_seconds(cost.low), format_seconds(cost.high)
    return low if low == high else f"{low} to {high}"


def _training_lines(forecast: Forecast, found: Preflight) -> list[str]:
    train = forecast.find("train")
    phases = train.phases if train is not None else ()
    factor = train.corrections.get("cpu_seconds", 1.0) if train is not None else 1.0
    lines = []
    for number, phase in enumerate(phases, start=1):
        name = f"train, phase {number}" if len(phases) > 1 else "train"
        update = phase.update_cpu_seconds.times(factor)
        steps = (
            f"{phase.least_steps:,} to {phase.most_steps:,}" if phase.least_steps < phase.most_steps else f"{phase.most_steps:,}"
        )
        lines.append(
            f"{name}: {update.mid:.3g} s of CPU an update ({update.low:.3g} to {update.high:.3g}), {steps} updates, "
            f"{found.probe.parameters:,} weights"
        )
    return lines


def _device_lines(found: Preflight) -> list[str]:
    probe = found.probe
    if not probe.device_limit:
        return []
    return [
        f"memory of the GPU: {format_size(probe.device_bytes)} at the largest batch, there is {format_size(probe.device_limit)}"
    ]


def preflight_values(found: Preflight) -> dict[str, Any]:
    """The result as values of JSON's types.

    Args:
        found: the result of a preflight.
    """
    forecast = found.forecast
    return {
        **forecast.model_dump(),
        "seconds": forecast.seconds.model_dump(),
        "cpu_seconds": forecast.cpu_seconds.model_dump(),
        "memory_limit": found.room.memory_bytes,
        "disk_limit": found.room.disk_bytes,
        "checkpoint_bytes": found.checkpoint_bytes,
        "gpu_bytes": found.probe.device_bytes,
        "parameters": found.probe.parameters,
        "sample_rows": found.sample_rows,
        "refusals": found.refusals,
        "notes": found.notes,
        "preflight_seconds": found.seconds,
    }
