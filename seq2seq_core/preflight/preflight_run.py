"""``s2s preflight``: runs the graph on a sample, measures updates, and foretells time, memory and disk of the whole run."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import SPLITS, Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import count_lines
from seq2seq_core.evaluation.scored_pairs import read_scored
from seq2seq_core.forecasts.cost_range import CostRange
from seq2seq_core.forecasts.forecast import QUANTITIES, Forecast, Quantity, StageForecast, machine_name
from seq2seq_core.forecasts.forecast_check import find_correction, read_checks, settings_digest
from seq2seq_core.preflight.corpus_sample import SplitSample, take_sample
from seq2seq_core.preflight.judging_sample import JUDGING, JudgingMeasure, measure_judging
from seq2seq_core.preflight.machine_room import Room
from seq2seq_core.preflight.probe_result import ProbeResult, Timing
from seq2seq_core.preflight.room_check import find_refusals
from seq2seq_core.preflight.sample_graph import SMALL_SHARE, SampleGraph
from seq2seq_core.preflight.sample_process import ProcessTime, run_process
from seq2seq_core.preflight.sample_settings import SAMPLE_STEPS
from seq2seq_core.preflight.stage_forecasts import (
    DATA_STAGES,
    MEMORY_NOISE,
    NOISE,
    SIZE_NOISE,
    StageMeasure,
    WholeCorpus,
    data_forecasts,
    decoding_forecast,
    evaluation_forecast,
    extrapolate,
    no_forecast,
    phase_forecast,
    start_forecast,
    training_forecast,
)
from seq2seq_core.serving.found_models import with_model_folders
from seq2seq_core.stage_table import CODE, WORKING_STAGES
from seq2seq_core.stages.looking_ahead import SECTIONS_WITH_MODELS
from seq2seq_core.training.state.folder_lock import lock_folder

logger = logging.getLogger(__name__)
UPDATE_SECONDS = 10.0
STATE_COPIES = 3
"""Weights and two averages of the optimiser, in a checkpoint."""
FLOAT_BYTES = 4
FIRST_TRACKED = "validate"
"""The stage that makes the MLflow database of a new workspace."""
CACHE_COPIES = 1
"""DVC keeps a copy of each output, unless its links are set up otherwise."""


@dataclass(frozen=True)
class Preflight:
    """The result.

    Attributes:
        forecast: what the run will cost.
        probe: what was measured of the updates.
        sample_rows: rows of the sample.
        room: what there is.
        checkpoint_bytes: what the training keeps on the disk while it runs.
        refusals: why the run cannot fit, with the setting that would; empty: it fits.
        notes: what the forecast does not know.
        seconds: duration of the preflight.
    """

    forecast: Forecast
    probe: ProbeResult
    sample_rows: int
    room: Room
    checkpoint_bytes: int
    refusals: list[str]
    notes: list[str]
    seconds: float


@dataclass(frozen=True)
class _Measured:
    """What the samples gave."""

    small: dict[str, StageMeasure]
    large: dict[str, StageMeasure]
    probe: ProbeResult
    corpus: WholeCorpus
    prepared: dict[str, int]
    test_rows: int
    judging: JudgingMeasure
    beside: tuple[int, int, int]
    dvc: ProcessTime
    store: Timing


def run_preflight(settings: Settings, paths: Paths, room: Room, rows: int, is_kept: bool = True) -> Preflight:
    """Measures and foretells; keeps the forecast for the runs that follow, and nothing else.

    Args:
        settings: of the workspace.
        paths: the workspace; works in ``.s2s/preflight/sample``, writes ``.s2s/preflight/forecast.json``.
        room: memory and disk that there are.
        rows: of train in the sample.
        is_kept: whether the forecast is kept.

    Raises:
        CorpusError: the corpus cannot be read.
        UserError: a stage fails on the sample.
        WorkspaceBusy: another preflight works in this workspace.
    """
    started = time.monotonic()
    folder = paths.preflight / "sample"
    with lock_folder(paths.preflight, "preflight"):
        shutil.rmtree(folder, ignore_errors=True)  # what a killed one has left
        try:
            logger.info("preflight: drawing a sample of the corpus")
            samples = take_sample(settings.corpus, paths.root, rows)
            measured = _measure(with_model_folders(settings, SECTIONS_WITH_MODELS, paths), paths, samples, room)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    forecast = _foretell(settings, paths, measured)
    checkpoints = (settings.runtime.num_checkpoints + 1) * STATE_COPIES * FLOAT_BYTES * measured.probe.parameters
    result = Preflight(
        forecast, measured.probe, sum(len(one.sampled) for one in samples.values()), room, checkpoints,
        find_refusals(settings, forecast, measured.probe, room, checkpoints), _notes(settings, samples), time.monotonic() - started,
    )  # fmt: skip
    if is_kept:
        forecast.save(paths)
    return result


def _measure(settings: Settings, paths: Paths, samples: dict[str, SplitSample], room: Room) -> _Measured:
    folder = paths.preflight / "sample"
    large = SampleGraph.make(folder / "large", samples, settings, paths)
    database, store = _make_store(folder)
    large.take_database(database)
    costs = large.run([CODE.name, *DATA_STAGES])
    beside_large = large.size_beside(DATA_STAGES)
    small_costs, beside_small = costs, beside_large
    if any(sample.rows > len(sample.sampled) for sample in samples.values()):
        parts = {split: sample.part(max(len(sample.sampled) // SMALL_SHARE, 1)) for split, sample in samples.items()}
        small = SampleGraph.make(folder / "small", parts, settings, paths)
        small.take_database(database)
        small_costs, beside_small = small.run(DATA_STAGES), small.size_beside(DATA_STAGES)
    stages = [stage.name for stage in WORKING_STAGES]
    costs |= large.run([name for name in stages if name not in (*DATA_STAGES, *JUDGING)])
    prepared = large.prepared_rows()
    corpus = _whole(samples, prepared)
    judged = _test_rows(settings, prepared, corpus, _questions(settings, large.paths))
    judging = measure_judging(large, folder / "few", *judged)
    probe = large.probe(UPDATE_SECONDS, room.memory_bytes)
    return _Measured(
        small_costs, costs | judging.all_rows, probe, corpus, prepared, judged[1], judging,
        (beside_small, beside_large, large.size_beside(stages)), _dvc_start(folder), store,
    )  # fmt: skip


def _test_rows(settings: Settings, prepared: Mapping[str, int], corpus: WholeCorpus, questions: float) -> tuple[int, int]:
    """Rows of test that are decoded: of the sample, and of the run; of all, ``questions`` are left once they are put together."""
    limit = settings.evaluate.test_limit or corpus.test_pairs
    return min(round(questions * prepared["test"]), limit), min(round(questions * corpus.test_pairs), limit)


def _questions(settings: Settings, sample: Paths) -> float:
    """The share of rows of test that are left once those of one question are put together; 1 where each is scored by itself."""
    section, file = settings.evaluate, sample.prepared_split("test")
    if section.references == "each":
        return 1.0
    return len(read_scored(file, section, 0)) / max(1, count_lines(file))


def _whole(samples: dict[str, SplitSample], prepared: dict[str, int]) -> WholeCorpus:
    """The sizes of the prepared splits, if the whole corpus keeps as many of its rows as the sample."""
    shares = {split: sample.rows / max(len(sample.sampled), 1) for split, sample in samples.items()}
    carved = shares.get("train", 1.0)
    pairs = {split: round(prepared[split] * shares.get(split, carved)) for split in SPLITS}
    return WholeCorpus(sum(sample.rows for sample in samples.values()), pairs["train"], pairs["dev"], pairs["test"])


def _make_store(folder: Path) -> tuple[Path, Timing]:
    """An empty MLflow database, and what making it took: nothing where MLflow is not installed."""
    paths = Paths(folder / "store")
    if any(find_spec(name) is None for name in ("mlflow", "psutil")):
        return paths.mlflow_database, Timing(seconds=0.0, cpu_seconds=0.0)
    paths.root.mkdir()
    result = folder / "store.json"
    run_process(["-m", "seq2seq_core.preflight.empty_store", str(paths.root), str(result)], folder / "store.log", "MLflow")
    return paths.mlflow_database, Timing.model_validate_json(result.read_text(encoding="utf-8"))


def _dvc_start(folder: Path) -> ProcessTime:
    """A start of DVC; nothing where it is not installed."""
    if find_spec("dvc") is None:
        return ProcessTime(0.0, 0.0)
    return run_process(["-m", "dvc", "--version"], folder / "dvc.log", "dvc")


def _foretell(settings: Settings, paths: Paths, measured: _Measured) -> Forecast:
    checks = read_checks(paths)
    data = data_forecasts(measured.small, measured.large, measured.corpus.rows)
    stages = []
    for stage in (CODE, *WORKING_STAGES):
        raw = _filled(no_forecast(stage.name, settings_digest(stage.name, settings)), data.get(stage.name, {}))
        raw = _unhindered(_of_the_model(raw, settings, measured))
        if stage.name == FIRST_TRACKED and _lacks_store(settings, paths):
            raw = _with_store(raw, measured.store)
        factors = {quantity: find_correction(stage.name, quantity, checks) for quantity in QUANTITIES}
        figures: dict[str, Any] = {quantity: getattr(raw, quantity).times(factors[quantity]) for quantity in QUANTITIES}
        stages.append(raw.model_copy(update=figures | {"corrections": factors}))
    return Forecast(
        made=time.time(),
        machine=machine_name(),
        corpus_rows=measured.corpus.rows,
        stages=tuple(stages),
        start_seconds=start_forecast([one.start for one in measured.large.values()], measured.dvc),
        disk_bytes=_disk(stages, measured),
    )


def _filled(raw: StageForecast, figures: Mapping[Quantity, CostRange]) -> StageForecast:
    """The forecast with some of its figures."""
    return raw.model_copy(update={str(quantity): figure for quantity, figure in figures.items()})


def _of_the_model(raw: StageForecast, settings: Settings, measured: _Measured) -> StageForecast:
    """The forecast of a stage whose cost does not follow from the rows of the corpus."""
    own, corpus, section, test = measured.large[raw.stage], measured.corpus, settings.evaluate, measured.test_rows
    match raw.stage:
        case "train":
            # A checkpoint is a copy of weights and optimiser, and is written while training continues.
            copied = STATE_COPIES * FLOAT_BYTES * measured.probe.parameters
            peak = max(own.figures["peak_bytes"], float(measured.probe.peak_bytes + copied))
            each = zip(settings.train.all_phases(), measured.probe.phases, strict=False)
            made = (
                tuple(
                    phase_forecast(phase, probe, corpus, measured.probe.train_rows, settings.train.dev_sentences)
                    for phase, probe in each
                )
                * settings.train.ensemble.num_seeds
            )
            sizes = {
                "peak_bytes": CostRange.around(peak, MEMORY_NOISE),
                "output_bytes": CostRange.around(own.figures["output_bytes"], SIZE_NOISE),
            }
            return training_forecast(raw.model_copy(update={**sizes, "phases": made}), own, SAMPLE_STEPS)
        case "export":
            rows = section.confidence_rows if section.confidence_event != "none" else 0
            sample_dev, dev = min(rows, measured.prepared["dev"]), min(rows, corpus.dev_pairs)
            return _filled(raw, decoding_forecast(own, measured.probe.decoding, sample_dev, dev))
        case "evaluate":
            return _filled(raw, evaluation_forecast(measured.judging.few_rows[raw.stage], own, measured.probe.decoding, test))
        case "register":  # a champion whose outputs are not kept is decoded once more
            figures = decoding_forecast(own, measured.probe.decoding, 0, test)
            least = {name: extrapolate(measured.judging.few_rows[raw.stage], own, name, test) for name in QUANTITIES}
            return _filled(
                raw, {name: one.model_copy(update={"high": max(one.high, figures[name].high)}) for name, one in least.items()}
            )
        case name if name in DATA_STAGES:
            return raw
        case _:
            return raw.model_copy(update={quantity: CostRange.around(own.figures[quantity], NOISE) for quantity in QUANTITIES})


def _lacks_store(settings: Settings, paths: Paths) -> bool:
    """Whether the run makes the workspace's own MLflow database."""
    is_own = not settings.runtime.tracking_uri and "MLFLOW_TRACKING_URI" not in os.environ
    return is_own and not paths.mlflow_database.exists()


def _with_store(raw: StageForecast, store: Timing) -> StageForecast:
    """The forecast of the stage that makes the database."""
    seconds, cpu_seconds = CostRange.around(store.seconds, NOISE), CostRange.around(store.cpu_seconds, NOISE)
    return raw.model_copy(update={"seconds": raw.seconds + seconds, "cpu_seconds": raw.cpu_seconds + cpu_seconds})


def _unhindered(raw: StageForecast) -> StageForecast:
    """The forecast with a duration that may be as short as the processor time: what else worked here may end before the run."""
    seconds = raw.seconds.model_copy(update={"low": min(raw.seconds.low, raw.cpu_seconds.low)})
    return raw.model_copy(update={"seconds": seconds})


def _disk(stages: Sequence[StageForecast], measured: _Measured) -> CostRange:
    """Outputs, their copies in DVC's cache, and what databases, records and the training state take."""
    outputs = CostRange.total(stage.output_bytes for stage in stages).times(1 + CACHE_COPIES)
    small, large, whole = measured.beside
    first, second = measured.small["prepare"].rows, measured.large["prepare"].rows
    slope = max(0, large - small) / (second - first) if second > first else 0.0
    grown = slope * max(0, measured.corpus.rows - second)
    return outputs + CostRange.around(whole + grown + measured.judging.grown_bytes(measured.test_rows), SIZE_NOISE)


def _notes(settings: Settings, samples: dict[str, SplitSample]) -> list[str]:
    notes = [
        f"not all rows of {split} were read in time: their number is estimated by bytes"
        for split, sample in samples.items()
        if not sample.is_whole
    ]
    if settings.runtime.dask_address:
        notes.append("runtime.dask_address: the sample was worked on here; the cluster may be faster")
    if settings.runtime.devices not in ("auto", 1):
        notes.append("runtime.devices: the updates were measured on one device")
    if any(phase.objective in ("minimum_risk", "self_critical", "back_translation") for phase in settings.train.all_phases()):
        notes.append("updates that decode take less time once outputs end by themselves")
    return notes
