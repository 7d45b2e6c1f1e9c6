"""Each execution of a stage is compared with its forecast, and the next forecast is corrected by it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.forecasts.cost_range import NOTHING, CostRange
from seq2seq_core.forecasts.forecast import Forecast, PhaseForecast, StageForecast, machine_name, read_forecast
from seq2seq_core.forecasts.forecast_check import checked, find_correction, read_checks, settings_digest
from seq2seq_core.recorder import NullRecorder

GRAPH = "stages:\n  validate:\n    cmd: x\n    outs: [out]\n  train:\n    cmd: x\n    outs: [out]\n"
SECOND = CostRange.around(1.0, 0.5)


class Kept(NullRecorder):
    """Keeps tags and metrics."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.metrics: dict[str, float] = {}

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.tags |= tags

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.metrics |= metrics


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "reports").mkdir()
    return Paths(tmp_path)


@pytest.fixture
def settings() -> Settings:
    return parse_settings({"corpus": {"path": "raw", "files": {"train": ["a.tsv"]}}, "register": {"model_name": "m"}}, "test")


def keep_forecast(paths: Paths, settings: Settings, stage: str, machine: str = "", **values: object) -> None:
    figures = dict.fromkeys(("seconds", "cpu_seconds", "peak_bytes", "output_bytes"), SECOND) | values
    own = StageForecast.model_validate({"stage": stage, "settings": settings_digest(stage, settings), **figures})
    found = Forecast(
        made=1.0, machine=machine or machine_name(), corpus_rows=9, stages=(own,), start_seconds=NOTHING, disk_bytes=NOTHING
    )
    found.save(paths)
    assert read_forecast(paths) == found


def test_an_execution_is_recorded_beside_its_forecast_and_corrects_the_next_one(paths: Paths, settings: Settings) -> None:
    keep_forecast(paths, settings, "validate", output_bytes=CostRange.around(100.0, 0.1), corrections={"output_bytes": 2.0})
    recorder = Kept()
    with checked("validate", settings, paths, paths, recorder):
        (paths.root / "out").write_bytes(b"x" * 150)
    assert recorder.metrics["actual_output_bytes"] == 150
    assert recorder.metrics["forecast_output_bytes"] == 100
    assert recorder.tags["forecast"].endswith("taken, outside the forecast")
    # The ratio is that to the forecast before its correction, so that corrections do not pile up.
    assert find_correction("validate", "output_bytes", read_checks(paths)) == pytest.approx(3.0)
    assert find_correction("train", "output_bytes", read_checks(paths)) == 1.0
    assert find_correction("validate", "seconds", read_checks(paths)) == 0.25  # far less than foretold, and bounded


@pytest.mark.parametrize("case", ["other machine", "other settings", "no forecast", "failure", "resumed", "taken from a state"])
def test_what_says_nothing_of_the_forecast_is_not_compared(case: str, paths: Paths, settings: Settings) -> None:
    stage = "train" if case in ("resumed", "taken from a state") else "validate"
    paths.train_report.write_text('{"steps": 3}')
    state = paths.training_state / "key"
    state.mkdir(parents=True)
    (state / "finished.json").write_text("{}")
    if case != "no forecast":
        keep_forecast(paths, settings, stage, machine="elsewhere" if case == "other machine" else "")
    if case == "other settings":
        settings = settings.model_copy(update={"validate_": settings.validate_.model_copy(update={"examples": 9})})
    if case == "resumed":
        (state / "checkpoint-00000001.json").write_text("{}")
    recorder = Kept()
    try:
        with checked(stage, settings, paths, paths, recorder):
            if case == "failure":
                raise ValueError
    except ValueError:
        pass
    assert (read_checks(paths), recorder.metrics) == ([], {})


def test_a_training_is_compared_by_the_updates_that_it_made(paths: Paths, settings: Settings) -> None:
    one = CostRange.around(10.0, 0.1)
    phase = PhaseForecast(
        most_steps=50, least_steps=10, validate_every=5, update_seconds=one, update_cpu_seconds=one, validation_seconds=SECOND,
        validation_cpu_seconds=SECOND,
    )  # fmt: skip
    keep_forecast(paths, settings, "train", seconds=CostRange.around(510.0, 0.1), phases=(phase,), fixed_seconds=SECOND)
    recorder = Kept()
    with checked("train", settings, paths, paths, recorder):
        (paths.training_state / "key").mkdir(parents=True)
        (paths.training_state / "key" / "finished.json").write_text("{}")
        paths.train_report.write_text(json.dumps({"steps": 7}))
    assert recorder.metrics["forecast_seconds"] == pytest.approx(1 + 7 * 10 + 2 * 1)  # the start, 7 updates, 2 validations
    assert read_checks(paths)[0].ended == pytest.approx(time.time(), abs=60)
