"""Real updates of the configured model on the sample: their time and memory, a validation, and a decoded source.

A process of its own, so that its memory is that of a training: ``python -m seq2seq_core.preflight.update_probe``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.stored_weights import build_member
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.config.train import Phase
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.preflight.decoding_probe import measure_decoding, reference_share
from seq2seq_core.preflight.probe_result import PhaseProbe, ProbeResult, Timing
from seq2seq_core.preflight.stopwatch import Stopwatch
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.serving.found_models import find_judges
from seq2seq_core.stage_history.cost_meter import peak_memory
from seq2seq_core.training.data.inputs import TrainingInputs, read_inputs
from seq2seq_core.training.data.parts import PhaseData, open_phase
from seq2seq_core.training.data.update_plan import Place, PlannedBatch
from seq2seq_core.training.hardware.acceleration import accelerate
from seq2seq_core.training.hardware.precision import Placement, choose_placement
from seq2seq_core.training.objectives.objective_factory import open_objective
from seq2seq_core.training.state.early_stopping import EarlyStopping
from seq2seq_core.training.state.progress_state import ProgressState
from seq2seq_core.training.updates.updater import Updater
from seq2seq_core.training.validation import Validator

WARM_UP = 3
FEWEST_UPDATES, MOST_UPDATES = 4, 60
MOST_WALL_TIMES = 3.0
"""Updates are measured for up to so many times their processor time, where something else works on the machine too."""


class _Peak(NamedTuple):
    """Memory of the process and of the GPU, in bytes."""

    process: int
    device: int

    @classmethod
    def now(cls, device: torch.device) -> _Peak:
        """The peak so far."""
        on_device = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0
        return cls(peak_memory(), on_device)

    def fits(self, process_limit: int, device_limit: int) -> bool:
        """Whether it is within limits."""
        return self.process <= process_limit and (not device_limit or self.device <= device_limit)


@dataclass
class _PhaseAtWork:
    """A phase whose updates are measured."""

    phase: Phase
    inputs: TrainingInputs
    placement: Placement
    updater: Updater
    data: PhaseData
    steps: int = 0
    state: ProgressState = field(default_factory=lambda: ProgressState(best=EarlyStopping(metric="loss")))

    def update(self, planned: list[PlannedBatch]) -> Timing:
        """Makes an update and measures it, the reading of its batches included."""
        watch, seed = Stopwatch(self.placement.device), derive_seed(1, "preflight", self.steps)
        with watch.running():
            batches = [self.data.read(batch, seed) for batch in planned]
            self.updater.pace = self.state.pace(self.phase, self.placement.is_float16)
            self.updater.apply(batches, self.steps + 1, seed)
        self.steps += 1
        return watch.timing

    def largest(self) -> list[PlannedBatch]:
        """The batches of an epoch that need most memory: by the longest pair, by target tokens, and by squares of lengths."""
        part = self.data.plan.main
        batches = self.data.plan.samplers[part].epoch_batches(0)
        train = self.inputs.train if part.kind == "pairs" else None
        if train is None:
            return [PlannedBatch(part, max(batches, key=len))]
        sizes = list[tuple[int, int, int]]()
        for batch in batches:
            source, target = train.lengths(batch)
            sizes.append((len(batch), int(source.max()), int(target.max())))
        orders = (
            lambda place: sizes[place][1] + sizes[place][2],
            lambda place: sizes[place][0] * sizes[place][2],
            lambda place: sizes[place][0] * (sizes[place][1] + sizes[place][2]) ** 2,
            lambda place: sizes[place][0] * (sizes[place][1] + sizes[place][2]),
        )
        found = dict.fromkeys(max(range(len(batches)), key=order) for order in orders)
        return [PlannedBatch(part, batches[place]) for place in found]


def probe(settings: Settings, paths: Paths, seconds: float, memory_limit: int) -> ProbeResult:
    """Measures the updates of every phase.

    Args:
        settings: of the user, with the sample as the corpus.
        paths: the workspace of the sample, with ``data/tokenized`` and ``models/served``.
        seconds: of processor time, for the updates of all phases.
        memory_limit: what the process may use, in bytes.

    Raises:
        UserError: the device is missing, or the settings do not fit the corpus.
    """
    _load_what_train_loads()
    inputs = read_inputs(paths.tokenized, settings.train.dev_sentences)
    inputs = replace(inputs, judges=find_judges(settings.train, paths))
    placement = choose_placement(settings.runtime)
    device = placement.device
    device_limit = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
    model = _build(settings, inputs, placement)
    phases = settings.train.all_phases()
    peaks, base, measured, fits, largest = [], _Peak(0, 0), list[PhaseProbe](), True, phases[0].batch_tokens
    for phase in phases:
        with _opened(phase, settings, inputs, placement, model) as work:
            base, peak = _climb(work, memory_limit, device_limit)
            peaks.append(peak)
            if peak == max(peaks):
                largest = phase.batch_tokens
            fits = peak.fits(memory_limit, device_limit)
            if not fits:
                break
            measured.append(_measure(work, seconds / len(phases), device))
    peak = _Peak(max(one.process for one in peaks), max(one.device for one in peaks))
    if fits:
        peak = max(peak, _Peak.now(device))
    return ProbeResult(
        base_bytes=base.process,
        peak_bytes=peak.process,
        fits=fits,
        device=str(device),
        device_bytes=peak.device,
        device_base_bytes=base.device,
        device_limit=device_limit,
        batch_tokens=largest,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        phases=measured,
        decoding=measure_decoding(settings, paths, inputs) if fits else None,
        train_rows=len(inputs.train),
    )


def _load_what_train_loads() -> None:
    """Loads MLflow, so that the memory is that of ``s2s train``."""
    if find_spec("mlflow") is not None:
        import seq2seq_core.tracking.runs.stage_run  # noqa: F401


def _build(settings: Settings, inputs: TrainingInputs, placement: Placement) -> Seq2Seq:
    torch.manual_seed(derive_seed(settings.train.seed, "weights"))
    config = inputs.bundle_config(settings.model)
    model = build_member(config).to(placement.device)
    accelerate(model, settings.runtime)
    return model


@contextmanager
def _opened(
    phase: Phase, settings: Settings, inputs: TrainingInputs, placement: Placement, model: Seq2Seq
) -> Iterator[_PhaseAtWork]:
    workers = settings.runtime.reward_workers
    judge = inputs.open_judge(phase, placement.device)
    with open_objective(phase, placement, inputs.target_model, workers, inputs.monolingual, judge) as objective:
        updater = Updater(model, phase, placement, 0, objective)
        yield _PhaseAtWork(phase, inputs, placement, updater, open_phase(inputs, phase, settings.train.seed))


def _climb(work: _PhaseAtWork, memory_limit: int, device_limit: int) -> tuple[_Peak, _Peak]:
    """Memory of an update of one pair, and of the largest batches: foretold from a quarter of them where they do not fit."""
    device, large = work.placement.device, work.largest()
    for _ in range(2):
        work.update([large[0]._replace(indices=large[0].indices[:1])])
    base = _Peak.now(device)
    quarters = [batch._replace(indices=batch.indices[: max(1, len(batch.indices) // 4)]) for batch in large]
    for batch in quarters:
        work.update([batch])
    quarter = _Peak.now(device)
    share = max(len(batch.indices) / len(part.indices) for batch, part in zip(large, quarters, strict=True))
    foretold = _Peak(*(round(low + (high - low) * share) for low, high in zip(base, quarter, strict=True)))
    if not foretold.fits(memory_limit, device_limit):
        return base, foretold
    for batch in large:
        work.update([batch] * min(work.phase.accumulation, 2))  # the second adds to gradients that are there
    return base, _Peak.now(device)


def _measure(work: _PhaseAtWork, seconds: float, device: torch.device) -> PhaseProbe:
    worked = time.process_time() + seconds * torch.get_num_threads()
    updates, deadline = list[Timing](), time.monotonic() + MOST_WALL_TIMES * seconds
    for planned in islice(work.data.plan.updates_from(Place()), WARM_UP + MOST_UPDATES):
        updates.append(work.update(list(planned.batches)))
        is_over = time.process_time() > worked or time.monotonic() > deadline
        if len(updates) >= WARM_UP + FEWEST_UPDATES and is_over:
            break
    dev, references = work.inputs.dev, work.inputs.references
    likelihoods, decoding = Stopwatch(device), Stopwatch(device)
    validators = _validators(work)
    for validator, watch in zip(validators, (likelihoods, decoding), strict=False):
        with watch.running():
            validator.validate(work.updater.kept_model, lambda: None)
    rest = Timing(
        seconds=max(0.0, decoding.timing.seconds - likelihoods.timing.seconds),
        cpu_seconds=max(0.0, decoding.timing.cpu_seconds - likelihoods.timing.cpu_seconds),
    )
    return PhaseProbe(
        updates=updates[WARM_UP:],
        likelihoods=likelihoods.timing,
        decoding=rest,
        decoded_share=reference_share(work.inputs, validators[1].options.max_length) if references else 1.0,
        dev_rows=len(dev),
        decoded_rows=len(references),
        updates_per_epoch=float(work.data.plan.updates_per_epoch),
    )


def _validators(work: _PhaseAtWork) -> list[Validator]:
    """One that measures the loss of dev, and one that decodes too; of speech, nothing is decoded in training."""
    inputs = work.inputs
    if inputs.target_model is None:
        from seq2seq_core.training.objectives.frame_differences import FrameDifferences
        from seq2seq_core.training.speech_validation import SpeechValidator

        assert isinstance(work.updater.objective, FrameDifferences), "the settings see to it"
        return [SpeechValidator(inputs.dev, work.phase, work.updater.objective)]
    found = [Validator(inputs.dev, texts, inputs.target_model, work.phase, work.placement) for texts in ([], inputs.references)]
    for validator in found:  # nothing ends before the limit
        validator.options = validator.options.override(min_length=validator.options.max_length)
    return found


def main() -> None:
    """Measures as the arguments say: workspace, parameters, result, seconds, bytes of memory."""
    workspace, params, result, seconds, memory_limit = sys.argv[1:]
    found = probe(load_settings(Path(params)), Paths(Path(workspace)), float(seconds), int(memory_limit))
    Path(result).write_text(found.model_dump_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
