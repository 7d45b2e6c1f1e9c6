"""A sweep from its file to its last trial, in one process or in several workers."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.sweep_file import SweepSettings
from seq2seq_core.errors import ConfigError, UserError, WorkspaceBusy
from seq2seq_core.serving.found_models import fetched_initial_bundle, find_judges
from seq2seq_core.sweep.results import SweepResults, describe_values, read_results
from seq2seq_core.sweep.space import SearchSpace, open_space
from seq2seq_core.sweep.study import SweepStudy, SweepTrial
from seq2seq_core.sweep.trial import TrialCrashed, TrialEnd, TrialTrainer
from seq2seq_core.tracking.runs.parameters import stage_parameters
from seq2seq_core.tracking.runs.sweep_tracking import SweepTracking, TrialRun, trial_run
from seq2seq_core.training.data.inputs import read_inputs
from seq2seq_core.training.hardware.precision import choose_placement
from seq2seq_core.training.initial.initial_bundle import (
    InitialBundle,
    find_local_bundle,
    is_remote,
    pin_digest,
)
from seq2seq_core.training.state.folder_lock import lock_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sweep:
    """An open sweep.

    Attributes:
        space: the search space and its metric.
        study: the trials.
        trainer: trains the trials.
        num_trials: number of trials that have to end.
    """

    space: SearchSpace
    study: SweepStudy
    trainer: TrialTrainer
    num_trials: int

    def run(self, tracking: SweepTracking, max_trials: int | None = None) -> int:
        """Trains trials until none is left to claim; returns the number of trials that ended here.

        Args:
            tracking: records the trials.
            max_trials: maximum number of trials; None for no limit.

        Raises:
            Interrupted: the process was asked to stop; the next process that claims the trial resumes it.
            EnvironmentFault: something outside the trials failed.
        """
        ended = 0
        while max_trials is None or ended < max_trials:
            with self.study.claim(self.num_trials) as trial:
                if trial is None:
                    break
                self._run_trial(trial, tracking)
            ended += 1
        return ended

    def results(self) -> SweepResults:
        """The results so far."""
        return read_results(self.study, self.num_trials)

    def best_state(self) -> Path | None:
        """The folder of the best trial's training state, if training with the kept settings would give the same state."""
        best, sweep = self.study.best(), self.space.sweep
        if best is None or (sweep.settings and not sweep.keep_settings):
            return None
        settings = self._pin(self.space.settings_of(self.study.values_of(best)))
        folder = self.study.trial_folder(best.number) / self.trainer.state_key(settings).folder_name
        return folder if folder.is_dir() else None

    def _run_trial(self, trial: SweepTrial, tracking: SweepTracking) -> None:
        """Trains a trial, records it, and ends it."""
        logger.info("trial %d: %s", trial.number, describe_values(trial.values))
        try:
            settings = self._pin(self.space.settings_of(trial.values))
        except ConfigError as error:
            end = self._refuse(trial, "; ".join(error.faults), tracking)
        else:
            end = self._train(trial, settings, tracking)
        self.trainer.note(trial, end)
        logger.info("trial %d %s", trial.number, end.describe(self.space.metric))

    def _refuse(self, trial: SweepTrial, reason: str, tracking: SweepTracking) -> TrialEnd:
        """Records a failed trial whose values conflict, in its own run with these values as parameters."""
        end = TrialEnd("failed", reason=reason)
        with trial_run(tracking, trial.number, trial.folder, trial.values) as run:
            _tell_end(end, run)
        return end

    def _train(self, trial: SweepTrial, settings: Settings, tracking: SweepTracking) -> TrialEnd:
        """Trains a trial; tries again after a first crash."""
        while True:
            try:
                return self._train_once(trial, settings, tracking)
            except TrialCrashed as crash:
                logger.warning("trial %d crashed, it goes on once more: %s", trial.number, crash)

    def _train_once(self, trial: SweepTrial, settings: Settings, tracking: SweepTracking) -> TrialEnd:
        """Makes one attempt at a trial, in the trial's run."""
        with trial_run(tracking, trial.number, trial.folder, stage_parameters("train", settings)) as run:
            end = self.trainer.train(trial, settings, run.recorder)
            _tell_end(end, run)
            if end.value is not None:
                run.recorder.log_metrics({f"best_{self.space.metric}": end.value, "best_step": float(end.step)})
        if end.value is not None:
            tracking.recorder.log_metrics({f"trial_{self.space.metric}": end.value}, step=trial.number)
        return end

    def _pin(self, settings: Settings) -> Settings:
        """Settings with the digest of the initial bundle."""
        return settings.model_copy(update={"train": pin_digest(settings.train, self.trainer.initial)})


def open_sweep(sweep: SweepSettings, source: str, paths: Paths, worker: int = 0) -> Sweep:
    """Begins or resumes a sweep over the workspace's tokenised corpus.

    Args:
        sweep: the content of the sweep's file.
        source: the name of the file, for messages.
        paths: the workspace; reads ``params.yaml`` and ``data/tokenized``, writes ``.s2s/sweeps``.
        worker: this worker's number, from 0; workers are spread over the GPUs.

    Raises:
        ConfigError: the sweep or the parameters are invalid.
        MissingInput: there is no tokenised corpus.
        UserError: train or dev is empty, the device or the initial weights are missing, or a sweep of this name has trials with
            other settings or data.
    """
    space = open_space(sweep, paths.params, source)
    initial = find_initial_bundle(space.settings, paths)
    train = pin_digest(space.settings.train, initial)
    inputs = replace(read_inputs(paths.tokenized, train.dev_sentences), judges=find_judges(train, paths))
    placement = choose_placement(spread_devices(space.settings, worker).runtime)
    if searched := [name for name in sweep.space if ".judge." in name]:
        raise UserError(
            f"{source}: space must not contain {searched[0]}: trials with other judges cannot be compared by their dev loss"
        )
    judges = {f"{reader} ({digest})": found.digest for (reader, digest), found in inputs.judges.items()}
    others = {"train.initial_digest": train.initial_digest, **({"judges": judges} if judges else {})}
    study = SweepStudy(sweep_folder(sweep, paths), space, _identity(space, others, inputs.digests))
    if sweep.begin_with_current and space.current_values() is None:
        logger.info("no trial has the settings of %s as they are, which are not within space", paths.params.name)
    return Sweep(space, study, TrialTrainer(study, inputs, placement, initial), sweep.trials)


def find_initial_bundle(settings: Settings, paths: Paths) -> InitialBundle | None:
    """The bundle of ``train.initial_weights``, downloaded if it is in MLflow; None where training begins with random weights.

    Args:
        settings: section ``train`` names the bundle.
        paths: the workspace; downloads go to ``.s2s/bundles``.
    """
    if not is_remote(settings.train.initial_weights):
        return find_local_bundle(settings.train, paths)
    return fetched_initial_bundle(settings.train, paths)


def sweep_folder(sweep: SweepSettings, paths: Paths) -> Path:
    """The folder of a sweep and its trials."""
    return paths.sweeps / sweep.name


def forget_sweep(sweep: SweepSettings, paths: Paths) -> None:
    """Removes a sweep and all its trials.

    Args:
        sweep: has the sweep's name.
        paths: the workspace; removes the folder in ``.s2s/sweeps``.

    Raises:
        WorkspaceBusy: a process trains one of the trials.
    """
    folder = sweep_folder(sweep, paths)
    for trial in sorted((folder / "trials").glob("*/")):
        try:
            with lock_folder(trial):
                pass
        except WorkspaceBusy:
            raise WorkspaceBusy(f"{trial}: a process trains this trial; wait for it, or stop it and run this again") from None
    shutil.rmtree(folder, ignore_errors=True)


def spread_devices(settings: Settings, worker: int) -> Settings:
    """Settings with a GPU for this worker, if there are several GPUs.

    Args:
        settings: ``runtime.device`` changes only if it is ``auto`` or ``cuda``.
        worker: this worker's number, from 0.
    """
    import torch

    num_devices = torch.cuda.device_count()
    if settings.runtime.device not in ("auto", "cuda") or num_devices < 2:
        return settings
    runtime = settings.runtime.model_copy(update={"device": f"cuda:{worker % num_devices}"})
    return settings.model_copy(update={"runtime": runtime})


def _tell_end(end: TrialEnd, run: TrialRun) -> None:
    """Records the end of a trial in its run."""
    run.recorder.set_tags({"trial_state": end.state, **({"failure": end.reason} if end.reason else {})})
    run.has_failed = end.state == "failed"


def _identity(space: SearchSpace, models: Mapping[str, object], data: Mapping[str, str]) -> dict[str, object]:
    """The settings and data that all trials of a sweep must share to be comparable."""
    sweep = space.sweep
    # The searched settings' values in params.yaml do not count: --apply changes them.
    anything = {name: space.first_value(name) for name in sweep.space}
    try:
        settings = space.settings_of(anything)
    except ConfigError:
        settings = space.settings
    sections = {name: getattr(settings, name).model_dump(mode="json") for name in ("model", "train")}
    searched = {name: space.sweep.space[name].model_dump(mode="json") for name in sorted(sweep.space)}
    common = {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}
    others = {"space": searched, "seed": sweep.seed, "the tokenised corpus": dict(data)}
    return common | dict(models) | others
