"""A whole training in the folder of its state: new, resumed or already finished."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.bundle.stored_weights import build_member
from seq2seq_core.config.train import Phase
from seq2seq_core.modeling.ensemble import AnyModel, gather_members
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.recorder import Recorder
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.training.data.inputs import TrainingInputs
from seq2seq_core.training.data.parts import open_phase
from seq2seq_core.training.distributed.ranks import SINGLE_RANK, Ranks
from seq2seq_core.training.hardware.acceleration import accelerate
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.initial.initial_bundle import InitialBundle
from seq2seq_core.training.initial.warm_start import begin_from
from seq2seq_core.training.objectives.objective import Objective
from seq2seq_core.training.objectives.objective_factory import open_objective
from seq2seq_core.training.progress_observer import NoObserver, ProgressObserver
from seq2seq_core.training.round_trip import open_round_trips
from seq2seq_core.training.state.checkpoint import Restored
from seq2seq_core.training.state.checkpoint_store import CheckpointStore
from seq2seq_core.training.state.curve_log import CurveLog, read_curves
from seq2seq_core.training.state.early_stopping import EarlyStopping
from seq2seq_core.training.state.phase_states import PhaseStates
from seq2seq_core.training.state.progress_state import ProgressState
from seq2seq_core.training.stop_request import listen_for_stop
from seq2seq_core.training.trainer import RunContext, Trainer
from seq2seq_core.training.trainer_settings import TrainerSettings
from seq2seq_core.training.updates.freezing import frozen_parameters
from seq2seq_core.training.updates.updater import Updater
from seq2seq_core.training.validation import Validator

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinishedTraining:
    """The result of a training.

    Attributes:
        model: with the best weights of the last phase; an ensemble of snapshots where the settings ask for one.
        state: its final progress, with every validation.
        end: why its last phase ended: ``max_steps``, ``max_epochs`` or ``patience``.
    """

    model: AnyModel
    state: ProgressState
    end: str


@dataclass(frozen=True)
class TrainingRun:
    """A training of one model, resumed from its stored state if there is one.

    Attributes:
        inputs: the tokenised corpus.
        settings: sections ``model``, ``train`` and ``runtime``.
        placement: device and precision.
        store: checkpoint store of a folder that the caller has locked.
        recorder: receives the curves; the curves of a finished training or of finished first phases are sent again.
        phase_states: stored states of first phases, to reuse and to extend; None: not used.
        initial: the bundle with the initial weights, read by rank 0 alone; None: random weights.
        ranks: the processes that train the model together.
        observer: observes the progress, and may end the training by an exception.
    """

    inputs: TrainingInputs
    settings: TrainerSettings
    placement: Placement
    store: CheckpointStore
    recorder: Recorder
    phase_states: PhaseStates | None = None
    initial: InitialBundle | None = None
    ranks: Ranks = SINGLE_RANK
    observer: ProgressObserver = field(default_factory=NoObserver)

    def finish(self) -> FinishedTraining:
        """Trains to the end; only loads the result if the training is already finished.

        Raises:
            Interrupted: the process was asked to stop; the state is saved.
            UserError: ``freeze`` names no parameter, the initial model has another architecture, or the run diverges.
        """
        model = self._fresh_model()
        for phase in self.settings.train.all_phases():
            # What does not fit is refused at once, not in that phase.
            frozen_parameters(model, phase.freeze)
            self.inputs.check_judge(phase)
        restored = self.store.restore()
        if restored is not None and restored.checkpoint.end:
            logger.info(
                "these settings, data and code have been trained already: taking the result from %s (--from-scratch trains anew)",
                self.store.folder,
            )
            self._repeat_curves()
            state, end = restored.checkpoint.progress, restored.checkpoint.end
        else:
            state, end = self._fit(model, restored or self._begin(model))
        best = self.store.load_best()
        if self.settings.train.ensemble.num_snapshots:
            return FinishedTraining(gather_members(model, best), state, end)
        model.load_state_dict(best)
        return FinishedTraining(model, state, end)

    def _fresh_model(self) -> Seq2Seq:
        """A model on its device, whose weights depend on the seed alone."""
        torch.manual_seed(derive_seed(self.settings.train.seed, "weights"))
        config = self.inputs.bundle_config(self.settings.model)
        model = build_member(config).to(self.placement.device)
        accelerate(model, self.settings.runtime)
        return model

    def _begin(self, model: Seq2Seq) -> Restored | None:
        """The result of the first phases if they are already trained; else None, and the model gets its initial weights."""
        if self.phase_states and (restored := self.phase_states.adopt(self.store)):
            number = restored.checkpoint.progress.phase + 1
            logger.info("phase %d and those before it have been trained already: taking their result", number)
            self._repeat_curves()
            return restored
        if self.initial is not None:
            self._take_weights(self.initial, model)
        return None

    def _take_weights(self, initial: InitialBundle, model: Seq2Seq) -> None:
        """Loads the weights of a bundle on rank 0 and sends them to the model on every rank."""

        def load() -> None:
            config, bundle = self.inputs.bundle_config(self.settings.model), load_bundle(initial.folder)
            begin_from(model, config, self.inputs.source_tokenizer, self.inputs.target_tokenizer, bundle, initial.origin)

        self.ranks.from_first(load)
        model.load_state_dict(self.ranks.tensors_from_first(model.state_dict()))

    def _repeat_curves(self) -> None:
        """Sends the curves of an earlier training to the recorder."""
        for step, metrics in read_curves(self.store.curves):
            self.recorder.log_metrics(metrics, step)

    def _fit(self, model: Seq2Seq, restored: Restored | None) -> tuple[ProgressState, str]:
        """Trains a model from a checkpoint, or from the beginning if there is none.

        No checkpoint is stored between two phases. The start of a phase follows from the last checkpoint of the phase before, so
        that a run that was killed between them finds it again.
        """
        phases, store = self.settings.train.all_phases(), self.store
        state = restored.checkpoint.progress if restored else ProgressState(best=EarlyStopping(metric=phases[0].dev_metric))
        if restored:
            logger.info("going on after step %d, from %s", state.step, store.folder)
        curve_bytes = restored.checkpoint.curve_bytes if restored else 0
        with listen_for_stop() as stop, store.writing(), CurveLog(store.curves, self.recorder, curve_bytes) as curves:
            context = RunContext(self.settings, store, curves, stop, self.observer)
            while True:
                with self._open_trainer(model, state, context) as trainer:
                    if restored and restored.tensors:
                        trainer.restore(restored)
                    restored = None
                    end = trainer.fit()
                if state.phase + 1 == len(phases):
                    break
                trainer.log_rest()
                logger.info("phase %d of %d ended by %s; its best step is %d", state.phase + 1, len(phases), end, state.best.step)
                if self.phase_states:
                    self.phase_states.keep(store, state, curves.flush(), end)
                model.load_state_dict(store.load_best())
                state.enter_next_phase(phases[state.phase + 1].dev_metric)
            store.finish(state, curves.flush(), end)
        return state, end

    @contextmanager
    def _open_trainer(self, model: Seq2Seq, state: ProgressState, context: RunContext) -> Iterator[Trainer]:
        """The trainer of the current phase; its objective stays open during the ``with`` block."""
        inputs, phase = self.inputs, self.settings.train.all_phases()[state.phase]
        workers = self.settings.runtime.reward_workers
        judge = inputs.open_judge(phase, self.placement.device)
        with open_objective(phase, self.placement, inputs.target_model, workers, inputs.monolingual, judge) as objective:
            snapshots = self.settings.train.ensemble.num_snapshots
            updater = Updater(
                model, phase, self.placement, state.phase_step, objective, state.steps_in_phase, self.ranks, snapshots
            )
            validator, data = self._open_validator(phase, objective), open_phase(inputs, phase, self.settings.train.seed)
            yield Trainer(updater, validator, data, state, context)

    def _open_validator(self, phase: Phase, objective: Objective) -> Validator:
        """What validates the model in a phase."""
        inputs = self.inputs
        if inputs.target_model is None:
            from seq2seq_core.training.objectives.frame_differences import FrameDifferences
            from seq2seq_core.training.speech_validation import SpeechValidator

            assert isinstance(objective, FrameDifferences), "the settings see to it"
            return SpeechValidator(inputs.dev, phase, objective, self.ranks)
        round_trips = open_round_trips(inputs.monolingual, phase, self.placement)
        return Validator(inputs.dev, inputs.references, inputs.target_model, phase, self.placement, round_trips, self.ranks)
