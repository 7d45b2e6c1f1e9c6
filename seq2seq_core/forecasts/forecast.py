"""The forecast of a run, as ``s2s preflight`` keeps it for the runs that follow."""

from __future__ import annotations

import os
import platform
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.forecasts.cost_range import NOTHING, CostRange

Quantity = Literal["seconds", "cpu_seconds", "peak_bytes", "output_bytes"]
FORECAST_FILE = "forecast.json"
QUANTITIES: tuple[Quantity, ...] = ("seconds", "cpu_seconds", "peak_bytes", "output_bytes")
"""What is foretold of a stage: duration, processor time, memory and the size of its outputs."""


class PhaseForecast(BaseModel):
    """What the updates of a training phase cost.

    Attributes:
        most_steps: most updates.
        least_steps: fewest updates, if no validation but the first one is better than those before it.
        validate_every: updates between two validations.
        update_seconds: duration of an update.
        update_cpu_seconds: its processor time.
        validation_seconds: duration of a validation with its checkpoint.
        validation_cpu_seconds: its processor time.
    """

    model_config = ConfigDict(frozen=True)

    most_steps: int
    least_steps: int
    validate_every: int
    update_seconds: CostRange
    update_cpu_seconds: CostRange
    validation_seconds: CostRange
    validation_cpu_seconds: CostRange

    def cost(self, steps: int, quantity: Literal["seconds", "cpu_seconds"]) -> CostRange:
        """The cost of some updates with their validations.

        Args:
            steps: updates.
            quantity: of time.
        """
        update, validation = (
            (self.update_seconds, self.validation_seconds)
            if quantity == "seconds"
            else (self.update_cpu_seconds, self.validation_cpu_seconds)
        )
        return update.times(steps) + validation.times(-(-steps // self.validate_every))


class StageForecast(BaseModel):
    """The forecast of a stage, corrected by what earlier ones were worth.

    Attributes:
        stage: its name.
        settings: digest of its settings; the forecast is of no other ones.
        seconds: duration.
        cpu_seconds: processor time.
        peak_bytes: largest memory of a process.
        output_bytes: size of its outputs.
        corrections: the factors that are in these figures, by quantity.
        fixed_seconds: of ``train``: duration without updates and validations, before the correction.
        fixed_cpu_seconds: the same as processor time.
        phases: of ``train``, before the correction.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    settings: str
    seconds: CostRange
    cpu_seconds: CostRange
    peak_bytes: CostRange
    output_bytes: CostRange
    corrections: dict[str, float] = {}
    fixed_seconds: CostRange = NOTHING
    fixed_cpu_seconds: CostRange = NOTHING
    phases: tuple[PhaseForecast, ...] = ()

    def raw(self, quantity: Quantity, steps: int | None = None) -> CostRange:
        """The forecast of a quantity before the correction.

        Args:
            quantity: of the stage.
            steps: updates that ``train`` made; None: as foretold.
        """
        if self.phases and steps is not None and quantity in ("seconds", "cpu_seconds"):
            return self.training_cost(steps, "seconds" if quantity == "seconds" else "cpu_seconds")
        found: CostRange = getattr(self, quantity)
        return found.times(1 / self.corrections.get(quantity, 1.0))

    def training_cost(self, steps: int, quantity: Literal["seconds", "cpu_seconds"]) -> CostRange:
        """The cost of ``train`` by the number of its updates, before the correction; earlier phases take theirs first.

        Args:
            steps: in all phases.
            quantity: of time.
        """
        total, left = self.fixed_seconds if quantity == "seconds" else self.fixed_cpu_seconds, steps
        for phase in self.phases:
            own = min(left, phase.most_steps)
            total, left = total + phase.cost(own, quantity), left - own
        return total


class Forecast(BaseModel):
    """The forecast of a run of the graph.

    Attributes:
        made: when, in seconds since 1970.
        machine: where, as :func:`machine_name` gives it.
        corpus_rows: rows of the corpus.
        stages: in their order.
        start_seconds: duration of the starts of all stages, which no stage counts as its own.
        disk_bytes: what the run adds to the disk.
    """

    model_config = ConfigDict(frozen=True)

    made: float
    machine: str
    corpus_rows: int
    stages: tuple[StageForecast, ...]
    start_seconds: CostRange
    disk_bytes: CostRange

    @property
    def seconds(self) -> CostRange:
        """Duration of the whole run, stage after stage."""
        return CostRange.total((self.start_seconds, *(stage.seconds for stage in self.stages)))

    @property
    def cpu_seconds(self) -> CostRange:
        """Processor time of the stages."""
        return CostRange.total(stage.cpu_seconds for stage in self.stages)

    def find(self, stage: str) -> StageForecast | None:
        """The forecast of a stage; None: there is none.

        Args:
            stage: its name.
        """
        return next((one for one in self.stages if one.stage == stage), None)

    def save(self, paths: Paths) -> None:
        """Keeps it in the workspace.

        Args:
            paths: the workspace; writes ``.s2s/preflight/forecast.json``.
        """
        atomic.write_text(paths.preflight / FORECAST_FILE, self.model_dump_json(indent=1) + "\n")


def read_forecast(paths: Paths) -> Forecast | None:
    """The last forecast of a workspace; None: there is none that can be read.

    Args:
        paths: the workspace; reads ``.s2s/preflight/forecast.json``.
    """
    try:
        return Forecast.model_validate_json((paths.preflight / FORECAST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None


def machine_name() -> str:
    """What tells machines apart: name, kind of processor, and how many of its cores there are."""
    return f"{platform.node()} {platform.machine()} {os.cpu_count()}"
