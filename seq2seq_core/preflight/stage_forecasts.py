"""From what was measured on samples to the forecast of the whole corpus: how each stage's cost grows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from seq2seq_core.config.train import Phase
from seq2seq_core.forecasts.cost_range import NOTHING, CostRange
from seq2seq_core.forecasts.forecast import PhaseForecast, Quantity, StageForecast
from seq2seq_core.preflight.probe_result import DecodingProbe, PhaseProbe, ProbeResult, Timing
from seq2seq_core.preflight.sample_process import ProcessTime

NOISE = 0.15
"""By how much a measured time may be wrong, as a share of it: the same work differs so much from run to run on a busy machine."""
DRIFT = 0.1
"""The same for the mean of many updates, beside what their scatter says: machines are not equally fast all the time."""
MEMORY_NOISE = 0.1
SIZE_NOISE = 0.03
DATA_STAGES = ("validate", "prepare", "tokenize")


@dataclass(frozen=True)
class StageMeasure:
    """What a stage cost on a sample.

    Attributes:
        rows: of the sample, all splits together.
        figures: by quantity.
        start: what the process took beside the stage itself.
    """

    rows: int
    figures: dict[Quantity, float]
    start: ProcessTime


@dataclass(frozen=True)
class WholeCorpus:
    """Sizes of the corpus that the run will have.

    Attributes:
        rows: of all splits.
        train_pairs: pairs of the prepared train.
        dev_pairs: pairs of the prepared dev.
        test_pairs: pairs of the prepared test.
    """

    rows: int
    train_pairs: int
    dev_pairs: int
    test_pairs: int


def extrapolate(small: StageMeasure, large: StageMeasure, quantity: Quantity, rows: int) -> CostRange:
    """A figure of more rows, on the line through two samples; it does not fall below that of the larger one.

    Args:
        small: of the smaller sample.
        large: of the larger one.
        quantity: of the stage.
        rows: of the corpus.
    """
    noise = {"peak_bytes": MEMORY_NOISE, "output_bytes": SIZE_NOISE}.get(quantity, NOISE)
    low, high = small.figures[quantity], large.figures[quantity]
    step = large.rows - small.rows
    if step <= 0 or rows <= large.rows:
        return CostRange.around(high, noise)
    slope = max(0.0, high - low) / step
    value = high + slope * (rows - large.rows)
    # The errors of both figures decide that of the slope.
    slope_error = noise * math.hypot(low, high) / step
    error = math.hypot(noise * value, slope_error * (rows - large.rows))
    return CostRange(low=max(high * (1 - noise), value - error), mid=value, high=value + error)


def data_forecasts(
    small: dict[str, StageMeasure], large: dict[str, StageMeasure], rows: int
) -> dict[str, dict[Quantity, CostRange]]:
    """The forecasts of the stages whose cost grows with the rows.

    Args:
        small: of the smaller sample, by stage.
        large: of the larger one.
        rows: of the corpus.
    """
    return {
        stage: {quantity: extrapolate(small[stage], large[stage], quantity, rows) for quantity in large[stage].figures}
        for stage in DATA_STAGES
    }


def mean_range(values: Sequence[float]) -> CostRange:
    """The mean of the costs of updates with its interval: two standard errors, and the drift of the machine.

    Args:
        values: at least one.
    """
    mean = statistics.fmean(values)
    error = 2 * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else mean
    width = math.hypot(error, DRIFT * mean)
    return CostRange(low=max(0.0, mean - width), mid=mean, high=mean + width)


def phase_forecast(phase: Phase, probe: PhaseProbe, corpus: WholeCorpus, sample_pairs: int, dev_sentences: int) -> PhaseForecast:
    """The forecast of a training phase.

    Args:
        phase: its settings.
        probe: what was measured.
        corpus: the whole one.
        sample_pairs: pairs of the sample's train.
        dev_sentences: dev sources that a validation decodes at most.
    """
    most = phase.max_steps
    if phase.max_epochs:
        per_epoch = probe.updates_per_epoch * corpus.train_pairs / max(sample_pairs, 1)
        most = max(1, min(most, math.ceil(phase.max_epochs * per_epoch)))
    least = min(most, (phase.patience + 1) * phase.validate_every_steps) if phase.patience else most
    # The sample of a dev that is carved out of train is smaller than the dev of the whole.
    decoded = min(dev_sentences, corpus.dev_pairs)
    return PhaseForecast(
        most_steps=most,
        least_steps=least,
        validate_every=phase.validate_every_steps,
        update_seconds=mean_range([one.seconds for one in probe.updates]),
        update_cpu_seconds=mean_range([one.cpu_seconds for one in probe.updates]),
        validation_seconds=_validation(probe, corpus, decoded, lambda timing: timing.seconds),
        validation_cpu_seconds=_validation(probe, corpus, decoded, lambda timing: timing.cpu_seconds),
    )


def _validation(probe: PhaseProbe, corpus: WholeCorpus, decoded: int, read: Callable[[Timing], float]) -> CostRange:
    """A validation: outputs are between as long as the references and as long as the limit."""
    likelihoods = read(probe.likelihoods) * corpus.dev_pairs / max(probe.dev_rows, 1)
    decoding = read(probe.decoding) * decoded / max(probe.decoded_rows, 1)
    least, most = likelihoods + decoding * probe.decoded_share, likelihoods + decoding
    return CostRange(low=least * (1 - NOISE), mid=(least + most) / 2, high=most * (1 + NOISE))


def training_forecast(stage: StageForecast, measure: StageMeasure, sample_steps: int) -> StageForecast:
    """The forecast of ``train``: what the sample's training cost without its updates, and the updates of each phase.

    Args:
        stage: with its phases.
        measure: of the sample's training.
        sample_steps: updates of each of its phases, with a validation.
    """
    fixed = dict[Quantity, CostRange]()
    quantities: tuple[Quantity, Quantity] = ("seconds", "cpu_seconds")
    for quantity in quantities:
        own = CostRange.total(
            (phase.update_seconds if quantity == "seconds" else phase.update_cpu_seconds).times(sample_steps)
            + (phase.validation_seconds if quantity == "seconds" else phase.validation_cpu_seconds)
            for phase in stage.phases
        )
        # The validations of `own` are those of the whole dev, which may cost more than the sample's did.
        rest = max(0.5 * measure.figures[quantity], measure.figures[quantity] - own.mid)
        fixed[quantity] = CostRange(low=0.7 * rest, mid=rest, high=measure.figures[quantity])
    found = stage.model_copy(update={"fixed_seconds": fixed["seconds"], "fixed_cpu_seconds": fixed["cpu_seconds"]})
    return found.model_copy(update={"seconds": _whole_training(found, False), "cpu_seconds": _whole_training(found, True)})


def _whole_training(stage: StageForecast, is_cpu: bool) -> CostRange:
    quantity: Literal["seconds", "cpu_seconds"] = "cpu_seconds" if is_cpu else "seconds"
    most = stage.training_cost(sum(phase.most_steps for phase in stage.phases), quantity)
    fixed = stage.fixed_cpu_seconds if is_cpu else stage.fixed_seconds
    least = fixed + CostRange.total(phase.cost(phase.least_steps, quantity) for phase in stage.phases)
    return CostRange(low=least.low, mid=most.mid, high=most.high)


def decoding_forecast(measure: StageMeasure, probe: DecodingProbe | None, sample_rows: int, rows: int) -> dict[Quantity, CostRange]:
    """The forecast of a stage of which only decoding grows with the rows.

    Args:
        measure: of the sample's stage.
        probe: what a search costs; None: nothing is decoded.
        sample_rows: rows that the sample's stage decoded.
        rows: rows that the run will decode.
    """
    found = dict[Quantity, CostRange]()
    for quantity, value in measure.figures.items():
        if probe is None or quantity not in ("seconds", "cpu_seconds"):
            found[quantity] = CostRange.around(value, MEMORY_NOISE if quantity == "peak_bytes" else SIZE_NOISE)
            continue
        row = (probe.answers.seconds if quantity == "seconds" else probe.answers.cpu_seconds) / probe.rows
        fixed = max(0.3 * value, value - row * probe.own_share * sample_rows)
        low, high = row * rows, row * probe.most_share * rows
        found[quantity] = CostRange(
            low=(1 - NOISE) * (min(fixed, value) + 0.5 * low), mid=fixed + low, high=(1 + NOISE) * (max(fixed, 0.6 * value) + high)
        )
    return found


def evaluation_forecast(few: StageMeasure, own: StageMeasure, probe: DecodingProbe | None, rows: int) -> dict[Quantity, CostRange]:
    """The forecast of ``evaluate``: decoding, metrics, baselines and what is written grow with the rows of test.

    Args:
        few: the stage on some rows of the sample's test, which are its ``rows``.
        own: on all of them.
        probe: what a search costs; None: nothing is decoded.
        rows: rows that the run will decode.
    """
    found = {quantity: extrapolate(few, own, quantity, rows) for quantity in own.figures}
    if probe is None:
        return found
    timings = [probe.answers, *([probe.greedy] if probe.greedy is not None else [])]
    quantities: tuple[Quantity, Quantity] = ("seconds", "cpu_seconds")
    for quantity in quantities:
        row = sum(one.seconds if quantity == "seconds" else one.cpu_seconds for one in timings) / probe.rows
        # A model of few updates ends its outputs nowhere, or at once; a trained one writes about as much as the references.
        measured, decoding = found[quantity], row * rows
        found[quantity] = CostRange(
            low=max((1 - NOISE) * 0.5 * few.figures[quantity], measured.low + decoding * min(0.0, 0.5 - probe.own_share)),
            mid=max(few.figures[quantity], measured.mid + decoding * (1.0 - probe.own_share)),
            high=measured.high + decoding * max(0.0, probe.most_share - probe.own_share),
        )
    return found


def start_forecast(starts: Sequence[ProcessTime], dvc: ProcessTime) -> CostRange:
    """The duration of the starts of all stages: `dvc repro` starts DVC once, `s2s retrain` for each stage.

    The least is the processor time: what else worked on the machine may end before the run.

    Args:
        starts: of the stages.
        dvc: a start of DVC.
    """
    stages = sum(one.seconds for one in starts)
    least = min(stages, sum(one.cpu_seconds for one in starts)) + min(dvc.seconds, dvc.cpu_seconds)
    return CostRange(
        low=least * (1 - NOISE),
        mid=stages + dvc.seconds * len(starts),
        high=(stages + 4 * dvc.seconds * len(starts)) * (1 + NOISE),
    )


def largest_fitting(probe: ProbeResult, memory_limit: int) -> int:
    """The largest ``batch_tokens`` that fits, rounded down to two digits; 0: not even the model does.

    Args:
        probe: what was measured.
        memory_limit: for the process, in bytes.
    """
    shares = [_share(probe.base_bytes, probe.peak_bytes, memory_limit)]
    if probe.device_limit:
        shares.append(_share(probe.device_base_bytes, probe.device_bytes, probe.device_limit))
    tokens = int(probe.batch_tokens * min(1.0, *shares))
    if tokens < 16:  # the least that the setting takes
        return 0
    digits = 10 ** max(0, len(str(tokens)) - 2)
    return max(16, int(tokens // digits * digits))


def _share(base: int, peak: int, limit: int) -> float:
    return max(0.0, (limit - base) / max(peak - base, 1))


def no_forecast(stage: str, settings: str) -> StageForecast:
    """A forecast without a figure, to be filled in.

    Args:
        stage: its name.
        settings: digest of its settings.
    """
    return StageForecast(
        stage=stage, settings=settings, seconds=NOTHING, cpu_seconds=NOTHING, peak_bytes=NOTHING, output_bytes=NOTHING
    )
