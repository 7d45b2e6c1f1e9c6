"""What came of a forecast: each real execution of a stage is compared with it, and the ratios correct the next one."""

from __future__ import annotations

import json
import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import first_line
from seq2seq_core.forecasts.cost_range import CostRange
from seq2seq_core.forecasts.forecast import QUANTITIES, Quantity, StageForecast, machine_name, read_forecast
from seq2seq_core.recorder import Recorder
from seq2seq_core.reproducibility import digest
from seq2seq_core.stage_history.cost_meter import CostMeter
from seq2seq_core.stage_history.stage_files import read_stage_files
from seq2seq_core.stage_table import find_stage

logger = logging.getLogger(__name__)
CHECKS_FILE = "checks.jsonl"
LAST_RATIOS = 5
"""Executions whose ratios count: what a machine or a corpus was long ago says little."""
MOST_CORRECTION = 4.0
"""A forecast is never multiplied or divided by more."""
KEPT_CHECKS = 500
SAME_SECONDS = 60.0
"""Between the comparison of an execution and its end, records are still sent."""


class ForecastCheck(BaseModel):
    """An execution of a stage beside its forecast.

    Attributes:
        stage: its name.
        machine: where it ran.
        ended: when, in seconds since 1970.
        actual: by quantity.
        foretold: by quantity: the corrected forecast, for the updates that ``train`` made.
        ratios: by quantity: the actual figure divided by the forecast before its correction.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    machine: str
    ended: float
    actual: dict[str, float]
    foretold: dict[str, CostRange]
    ratios: dict[str, float]

    @property
    def sentence(self) -> str:
        """Forecast against actual in a line: ``30 s to 1 min 05 s foretold, 45 s taken``."""
        foretold = self.foretold["seconds"]
        verdict = "" if foretold.contains(self.actual["seconds"]) else ", outside the forecast"
        taken = format_seconds(self.actual["seconds"])
        return f"{format_seconds(foretold.low)} to {format_seconds(foretold.high)} foretold, {taken} taken{verdict}"


def settings_digest(stage: str, settings: Settings) -> str:
    """The digest of the settings that a stage reads.

    Args:
        stage: its name.
        settings: of the workspace.
    """
    sections = {name: settings.section_named(name).model_dump(mode="json") for name in find_stage(stage).sections}
    return digest(sections)[:16]


@contextmanager
def checked(
    stage: str, settings: Settings, paths: Paths, home: Paths, recorder: Recorder, meter: CostMeter | None = None
) -> Iterator[None]:
    """Compares what a stage costs with the forecast, where there is one of these settings and this machine.

    The comparison goes to the recorder and, for later forecasts, to the workspace. What goes wrong here is only a warning.

    Args:
        stage: its name.
        settings: of the workspace.
        paths: the workspace.
        home: the workspace that keeps the records.
        recorder: of the stage's run.
        meter: of the stage's cost; by default it begins with the block.
    """
    meter, before = meter or CostMeter(), _training_marks(paths) if stage == "train" else None
    yield
    try:
        forecast = read_forecast(home)
        own = forecast.find(stage) if forecast is not None and forecast.machine == machine_name() else None
        if own is None or own.settings != settings_digest(stage, settings):
            return
        if before is not None and (before.is_unfinished or before == _training_marks(paths)):
            return  # it went on from an earlier state: its cost says nothing of a whole training
        check = _check(own, paths, meter)
        _keep(check, home)
        _record(check, recorder)
    except Exception as error:  # noqa: BLE001 - the stage has succeeded, whatever is wrong with its forecast
        logger.warning("%s is not compared with its forecast: %s", stage, first_line(error) or type(error).__name__)


def output_bytes(stage: str, paths: Paths) -> int:
    """The size of a stage's outputs.

    Args:
        stage: its name.
        paths: the workspace.
    """
    files = next((one for one in read_stage_files(paths.root) if one.name == stage), None)
    places = [paths.root / name for name in files.outputs] if files is not None else []
    every = [file for place in places for file in (place.rglob("*") if place.is_dir() else [place])]
    return sum(file.stat().st_size for file in every if file.is_file())


def read_checks(paths: Paths) -> list[ForecastCheck]:
    """What came of the forecasts in a workspace, in the order of time; lines that cannot be read are left out.

    Args:
        paths: the workspace; reads ``.s2s/preflight/checks.jsonl``.
    """
    try:
        lines = (paths.preflight / CHECKS_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(ForecastCheck.model_validate_json(line))
        except ValidationError:
            continue
    return found


def describe_check(stage: str, ended: float, paths: Paths) -> str:
    """Forecast against actual of an execution, in a line; empty: nothing was foretold of it.

    Args:
        stage: its name.
        ended: when, in seconds since 1970, within some seconds.
        paths: the workspace.
    """
    near = [check for check in read_checks(paths) if check.stage == stage and abs(check.ended - ended) < SAME_SECONDS]
    return near[-1].sentence if near else ""


def find_correction(stage: str, quantity: Quantity, checks: list[ForecastCheck]) -> float:
    """The factor for the next forecast: the median of the last ratios on this machine; 1 where there are none.

    Args:
        stage: its name.
        quantity: of the forecast.
        checks: of the workspace.
    """
    here = [check for check in checks if check.stage == stage and check.machine == machine_name() and quantity in check.ratios]
    ratios = [check.ratios[quantity] for check in here[-LAST_RATIOS:]]
    return min(max(statistics.median(ratios), 1 / MOST_CORRECTION), MOST_CORRECTION) if ratios else 1.0


@dataclass(frozen=True)
class _TrainingMarks:
    """What training states are there, to see whether a training was whole."""

    finished: tuple[tuple[str, int], ...]
    is_unfinished: bool


def _training_marks(paths: Paths) -> _TrainingMarks:
    finished = sorted((str(file), file.stat().st_mtime_ns) for file in paths.training_state.glob("*/finished.json"))
    return _TrainingMarks(tuple(finished), any(paths.training_state.glob("*/checkpoint-*.json")))


def _check(forecast: StageForecast, paths: Paths, meter: CostMeter) -> ForecastCheck:
    cost, steps = meter.read(), _read_steps(paths) if forecast.stage == "train" else None
    actual: dict[Quantity, float] = {
        "seconds": cost.seconds,
        "cpu_seconds": cost.cpu_seconds,
        "peak_bytes": float(cost.peak_bytes),
        "output_bytes": float(output_bytes(forecast.stage, paths)),
    }
    raw = {quantity: forecast.raw(quantity, steps) for quantity in QUANTITIES}
    return ForecastCheck(
        stage=forecast.stage,
        machine=machine_name(),
        ended=time.time(),
        actual={str(name): value for name, value in actual.items()},
        foretold={name: value.times(forecast.corrections.get(name, 1.0)) for name, value in raw.items()},
        ratios={name: actual[name] / value.mid for name, value in raw.items() if value.mid > 0},
    )


def _read_steps(paths: Paths) -> int:
    return int(json.loads(paths.train_report.read_text(encoding="utf-8"))["steps"])


def _keep(check: ForecastCheck, home: Paths) -> None:
    kept = [*read_checks(home), check][-KEPT_CHECKS:]
    atomic.write_text(home.preflight / CHECKS_FILE, "".join(f"{one.model_dump_json()}\n" for one in kept))


def _record(check: ForecastCheck, recorder: Recorder) -> None:
    recorder.set_tags({"forecast": check.sentence})
    recorder.log_metrics(
        {f"actual_{name}": value for name, value in check.actual.items()}
        | {f"forecast_{name}": value.mid for name, value in check.foretold.items()}
        | {f"forecast_{name}_{end}": getattr(check.foretold[name], end) for name in check.foretold for end in ("low", "high")}
    )
