"""A whole training inside its state's folder: begun, continued or already finished."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.config.model import ModelSection
from seq2seq_core.errors import WorkspaceBusy
from seq2seq_core.modeling.seq2seq import Seq2Seq, build_model
from seq2seq_core.recorder import Recorder
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.data.inputs import TrainingInputs
from seq2seq_core.training.data.parts import open_parts
from seq2seq_core.training.data.update_plan import UpdatePlan
from seq2seq_core.training.distributed.ranks import SINGLE_RANK, Ranks
from seq2seq_core.training.hardware.acceleration import accelerate
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.initial.initial_bundle import InitialBundle
from seq2seq_core.training.initial.warm_start import begin_from
from seq2seq_core.training.objectives.objective_factory import open_objective
from seq2seq_core.training.progress_observer import ProgressObserver
from seq2seq_core.training.round_trip import open_round_trips
from seq2seq_core.training.state.checkpoint import Restored
from seq2seq_core.training.state.checkpoint_store import FINISHED_FILE, CheckpointStore
from seq2seq_core.training.state.curve_log import CurveLog, read_curves
from seq2seq_core.training.state.early_stopping import BestSoFar
from seq2seq_core.training.state.folder_lock import lock_folder
from seq2seq_core.training.state.phase_states import PhaseStates
from seq2seq_core.training.state.progress_state import ProgressState
from seq2seq_core.training.state.run_key import RunKey
from seq2seq_core.training.stop_request import StopRequest, listen_for_stop
from seq2seq_core.training.trainer import Trainer
from seq2seq_core.training.trainer_settings import TrainerSettings
from seq2seq_core.training.updates.freezing import frozen_parameters
from seq2seq_core.training.updates.updater import Updater
from seq2seq_core.training.validation import Validator

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinishedTraining:
    """A training at its end.

    Attributes:
        model: with the best weights of the last phase.
        state: how far it went, and every validation.
        end: why its last phase ended: ``max_steps``, ``max_epochs`` or ``patience``.
    """

    model: Seq2Seq
    state: ProgressState
    end: str


def finish_training(
    inputs: TrainingInputs,
    model_settings: ModelSection,
    settings: TrainerSettings,
    placement: Placement,
    store: CheckpointStore,
    recorder: Recorder,
    phase_states: PhaseStates | None = None,
    initial: InitialBundle | None = None,
    ranks: Ranks = SINGLE_RANK,
    observer: ProgressObserver | None = None,
) -> FinishedTraining:
    """Trains from wherever the stored state is to the end; does nothing but load where that is reached already.

    Args:
        inputs: the tokenised corpus.
        model_settings: the architecture.
        settings: sections ``train`` and ``runtime``.
        placement: device and precision.
        store: of a folder that the caller has locked.
        recorder: receives the curves; of a finished training, or of finished first phases, all of them again.
        phase_states: where the states of the first phases are looked for and kept; None: nowhere.
        initial: the bundle whose weights the model begins with, read by rank 0 alone; None: they are drawn at random.
        ranks: the processes that train the model together.
        observer: looks on, and may end the training by an exception; None: nobody does.

    Raises:
        Interrupted: the process was asked to stop; the state is saved.
        UserError: ``freeze`` names no parameter, the initial model has another architecture, or the run diverges.
    """
    settings = replace(settings, model=model_settings)
    model = _fresh_model(inputs, model_settings, settings.train.seed).to(placement.device)
    accelerate(model, settings.runtime)
    for phase in settings.train.all_phases():
        frozen_parameters(model, phase.freeze)  # refuses unknown names now, not when that phase comes
    restored = store.restore()
    if restored is not None and restored.checkpoint.end:
        logger.info(
            "these settings, data and code have been trained already: taking the result from %s (--from-scratch trains anew)",
            store.folder,
        )
        _repeat_curves(store, recorder)
        state, end = restored.checkpoint.progress, restored.checkpoint.end
    else:
        if restored is None and phase_states and (restored := phase_states.adopt(store)):
            logger.info(
                "phase %d and those before it have been trained already: taking their result",
                restored.checkpoint.progress.phase + 1,
            )
            _repeat_curves(store, recorder)
        if restored is None and initial is not None:
            _begin_from(initial, model, inputs, model_settings, ranks)
        state, end = _fit(inputs, model, settings, placement, store, recorder, restored, phase_states, ranks, observer)
    model.load_state_dict(store.load_best())
    return FinishedTraining(model, state, end)


def _begin_from(initial: InitialBundle, model: Seq2Seq, inputs: TrainingInputs, settings: ModelSection, ranks: Ranks) -> None:
    """Gives a model, on every rank, the weights of a bundle that rank 0 has."""

    def load() -> None:
        config, bundle = inputs.bundle_config(settings), load_bundle(initial.folder)
        begin_from(model, config, inputs.source_tokenizer, inputs.target_tokenizer, bundle, initial.origin)

    ranks.from_first(load)
    model.load_state_dict(ranks.tensors_from_first(model.state_dict()))


def _repeat_curves(store: CheckpointStore, recorder: Recorder) -> None:
    """Hands the recorder the points that an earlier training made."""
    for step, metrics in read_curves(store.curves):
        recorder.log_metrics(metrics, step)


def _fresh_model(inputs: TrainingInputs, settings: ModelSection, seed: int) -> Seq2Seq:
    """A model whose weights depend on the seed alone."""
    torch.manual_seed(derive_seed(seed, "weights"))
    config = inputs.bundle_config(settings)
    sizes = (config.source_vocabulary_size, config.target_vocabulary_size)
    return build_model(settings, *sizes, config.joint, frame_width=config.frame_width)


def _fit(
    inputs: TrainingInputs,
    model: Seq2Seq,
    settings: TrainerSettings,
    placement: Placement,
    store: CheckpointStore,
    recorder: Recorder,
    restored: Restored | None,
    phase_states: PhaseStates | None,
    ranks: Ranks,
    observer: ProgressObserver | None,
) -> tuple[ProgressState, str]:
    """Trains a model from a checkpoint, or from the beginning where there is none.

    No checkpoint is stored between two phases: what the next one starts from follows from the last one of the phase before, and
    is found again by a run that was killed there.
    """
    phases = settings.train.all_phases()
    state = restored.checkpoint.progress if restored else ProgressState(best=BestSoFar(metric=phases[0].dev_metric))
    if restored:
        logger.info("going on after step %d, from %s", state.step, store.folder)
    curve_bytes = restored.checkpoint.curve_bytes if restored else 0
    with listen_for_stop() as stop, store.writing(), CurveLog(store.curves, recorder, curve_bytes) as curves:
        while True:
            phase = phases[state.phase]
            workers, tokenizer = settings.runtime.reward_workers, inputs.target_tokenizer
            with open_objective(phase, placement, tokenizer, workers, inputs.monolingual) as objective:
                updater = Updater(model, phase, placement, state.phase_step, objective, state.steps_in_phase, ranks)
                trainer = _make_trainer(inputs, updater, settings, store, curves, stop, state, observer)
                if restored and restored.tensors:
                    trainer.restore(restored)
                restored = None
                end = trainer.fit()
            if state.phase + 1 == len(phases):
                break
            trainer.log_rest()
            logger.info("phase %d of %d ended by %s; its best step is %d", state.phase + 1, len(phases), end, state.best.step)
            if phase_states:
                phase_states.keep(store, state, curves.flush(), end)
            model.load_state_dict(store.load_best())
            state.enter_next_phase(phases[state.phase + 1].dev_metric)
        store.finish(state, curves.flush(), end)
    return state, end


def _make_trainer(
    inputs: TrainingInputs,
    updater: Updater,
    settings: TrainerSettings,
    store: CheckpointStore,
    curves: CurveLog,
    stop: StopRequest,
    state: ProgressState,
    observer: ProgressObserver | None,
) -> Trainer:
    """The trainer of the phase that the state is in."""
    phase = settings.train.all_phases()[state.phase]
    round_trips = open_round_trips(inputs.monolingual, phase, updater.placement)
    validator = Validator(
        inputs.dev, inputs.references, inputs.target_tokenizer, phase, updater.placement, round_trips, updater.ranks
    )
    parts = open_parts(inputs, phase, settings.train.seed)
    plan = UpdatePlan({part: source.sampler for part, source in parts.items()}, phase.accumulation)
    readers = {part: source.reader for part, source in parts.items()}
    return Trainer(updater, validator, readers, plan, store, curves, stop, settings, state, observer)


def report_foreign_states(folder: Path, key: RunKey) -> None:
    """Warns of unfinished trainings of the same settings and data that other code made: they are not continued.

    Args:
        folder: of all states.
        key: of the training that begins or goes on.
    """
    for other in sorted(folder.iterdir()):
        if key.is_same_task(other.name) and other.name != key.folder_name and any(other.glob("checkpoint-*.json")):
            logger.warning(
                "%s: an unfinished training with these settings and data is left out, because other code (or another PyTorch) "
                "made it; expected code %s, and the commit that made it can go on with it",
                other, key.code,
            )  # fmt: skip


def remove_superseded_states(folder: Path, key: RunKey, beginnings: Sequence[RunKey] = ()) -> None:
    """Removes the states that nobody will ask for once a training is finished.

    These are other finished trainings (DVC's cache holds their bundles), and unfinished ones of the same settings and data that
    other code made. Unfinished trainings of other settings stay.

    Args:
        folder: of all states.
        key: of the training that is finished.
        beginnings: of its first phases, which stay.
    """
    kept = {one.folder_name for one in (key, *beginnings)}
    for other in sorted(folder.iterdir()):
        is_superseded = (other / FINISHED_FILE).exists() or key.is_same_task(other.name)
        if other.name in kept or not other.is_dir() or not is_superseded:
            continue
        try:
            with lock_folder(other):
                shutil.rmtree(other)
        except WorkspaceBusy:
            logger.debug("%s: in use, left as it is", other)
