"""One trial: a training with its own state, checked for pruning after each validation."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from seq2seq_core.config.metric_names import LOSS, DevMetric
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.errors import EnvironmentFault, Interrupted, Seq2SeqError, UserError, WorkspaceBusy, first_line
from seq2seq_core.recorder import Recorder
from seq2seq_core.sweep.attempts import MAX_FAILURES, open_attempt
from seq2seq_core.sweep.study import SweepStudy, SweepTrial
from seq2seq_core.training.data.inputs import TrainingInputs
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.initial.initial_bundle import InitialBundle
from seq2seq_core.training.run import TrainingRun
from seq2seq_core.training.state.checkpoint_store import CheckpointStore
from seq2seq_core.training.state.progress_state import ProgressState, ValidationPoint
from seq2seq_core.training.state.run_key import RunKey, make_run_key
from seq2seq_core.training.trainer_settings import TrainerSettings


class Pruned(Seq2SeqError):
    """The trial is pruned.

    Args:
        step: the last update.
    """

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(f"given up after step {step}")


class TrialCrashed(Exception):
    """A trial crashed for the first time and may be tried again."""


@dataclass(frozen=True)
class TrialEnd:
    """The end of a trial.

    Attributes:
        state: ``completed``, ``pruned`` or ``failed``.
        value: best value of the metric; None where there is none.
        step: the update with this value; the last update of a pruned trial.
        reason: reason of the failure.
    """

    state: str
    value: float | None = None
    step: int = 0
    reason: str = ""

    def describe(self, metric: str) -> str:
        """The end of the trial in one line.

        Args:
            metric: the name of the metric.
        """
        if self.state == "failed":
            return f"failed: {self.reason}"
        value = "" if self.value is None else f"{metric} {self.value:.4f} "
        return f"{self.state}: {value}at step {self.step}"


class PruningObserver:
    """Reports each validation of a trial, and prunes the trial where Optuna says so.

    Args:
        trial: the trial in training.
        phases: the phases of the trial; the dev metric of the last one is reported. Validations of phases by another metric, or
            by another tokeniser, are not comparable and are left out.
    """

    def __init__(self, trial: SweepTrial, phases: Sequence[PhaseSettings]) -> None:
        self.trial, self.criteria, self.metric = trial, [phase.dev_criterion for phase in phases], phases[-1].dev_metric
        self._reported = set(trial.reported_steps())
        self._num_seen = 0

    def observe(self, state: ProgressState) -> None:
        """See :class:`seq2seq_core.training.progress_observer.ProgressObserver`.

        Raises:
            Pruned: the trial is pruned.
        """
        new = state.validations[self._num_seen :]
        self._num_seen = len(state.validations)
        comparable = [point for point in new if self.criteria[point.phase] == self.criteria[-1]]
        for point in comparable:
            if point.step not in self._reported:
                self.trial.report(point.step, value_of(point, self.metric))
                self._reported.add(point.step)
        # Asked again after a resume: the process may have been killed between its report and the answer.
        if comparable and self.trial.should_be_pruned():
            raise Pruned(comparable[-1].step)


def value_of(point: ValidationPoint, metric: DevMetric) -> float:
    """The metric at a validation, in a phase with this dev metric."""
    value = point.dev_loss if metric == LOSS else point.dev_score
    assert value is not None
    return value


@dataclass(frozen=True)
class TrialTrainer:
    """Trains the trials of a sweep.

    Attributes:
        study: the trials of the sweep.
        inputs: the tokenised corpus.
        placement: device and precision.
        initial: the initial bundle of every trial; None for random weights.
    """

    study: SweepStudy
    inputs: TrainingInputs
    placement: Placement
    initial: InitialBundle | None

    def train(self, trial: SweepTrial, settings: Settings, recorder: Recorder) -> TrialEnd:
        """Trains a trial to its end, from its saved state if there is one; returns its end.

        Args:
            trial: held by this process.
            settings: the trial's settings.
            recorder: receives the trial's curves.

        Raises:
            Interrupted: the process was asked to stop; the next process that claims the trial resumes it.
            EnvironmentFault: something outside the trial failed. OSError and WorkspaceBusy are passed on too.
            TrialCrashed: the trial crashed for the first time.
            torch.AcceleratorError: the trial crashed for the first time, and this process cannot use the device any more.
        """
        store = self._open_store(trial, settings)
        with open_attempt(trial.folder, store.last_step() or 0) as deaths:
            if deaths >= MAX_FAILURES:
                where = f"step {store.last_step()}" if store.last_step() else "its beginning"
                reason = f"its process died {deaths} times after {where}, as it does where the machine's memory runs out"
                return TrialEnd("failed", reason=reason)
            try:
                return self._train(trial, settings, store, recorder)
            except Pruned as end:
                return TrialEnd("pruned", step=end.step)
            except (WorkspaceBusy, EnvironmentFault, Interrupted, OSError):
                raise
            except (UserError, torch.OutOfMemoryError) as error:  # it diverges, its settings conflict, or memory is short
                return TrialEnd("failed", reason=first_line(error))
            except Exception as error:  # noqa: BLE001 - no error of a trial may end the sweep every time
                return self._after_crash(trial, error, recorder)

    def _open_store(self, trial: SweepTrial, settings: Settings) -> CheckpointStore:
        """The store of a trial's training state; removes states that other code made."""
        key = self.state_key(settings)
        for other in trial.folder.glob("*-*/"):
            if other.name != key.folder_name:  # made by other code
                shutil.rmtree(other)
        folder = trial.folder / key.folder_name
        folder.mkdir(exist_ok=True)
        return CheckpointStore(folder, settings.runtime.num_checkpoints, settings.runtime.checkpoint_in_background)

    def _train(self, trial: SweepTrial, settings: Settings, store: CheckpointStore, recorder: Recorder) -> TrialEnd:
        """Trains a trial to its end, without handling errors."""
        metric = self.study.space.metric
        observer = PruningObserver(trial, settings.train.all_phases())
        sections = TrainerSettings(settings.model, settings.train, settings.runtime)
        run = TrainingRun(self.inputs, sections, self.placement, store, recorder, initial=self.initial, observer=observer)
        training = run.finish()
        best = training.state.best.step
        point = next(point for point in training.state.validations if point.step == best)
        return TrialEnd("completed", value_of(point, metric), best)

    def _after_crash(self, trial: SweepTrial, error: Exception, recorder: Recorder) -> TrialEnd:
        """Records a crash; returns the end of a trial that crashed too often, else raises the error for another attempt."""
        recorder.log_text("".join(traceback.format_exception(error)), "crash.txt")
        reason = f"{type(error).__name__}: {first_line(error)}"
        if trial.add_crash(reason) >= MAX_FAILURES:
            return TrialEnd("failed", reason=reason)
        if isinstance(error, torch.AcceleratorError):
            raise error
        raise TrialCrashed(reason) from error

    def state_key(self, settings: Settings) -> RunKey:
        """The key of a trial's training state, the same as for ``s2s train`` with the same settings."""
        return make_run_key(settings.model, self.inputs.pin_judges(settings.train), self.inputs.digests)

    def note(self, trial: SweepTrial, end: TrialEnd) -> None:
        """Stores the end of a trial in the study."""
        if end.state == "completed":
            assert end.value is not None
            self.study.complete(trial, end.value, end.step)
        elif end.state == "pruned":
            self.study.prune(trial, end.step)
        else:
            self.study.fail(trial, end.reason)
