"""A sweep from its file to its last trial, in this process or as one of several workers."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.sweep_file import SweepSettings
from seq2seq_core.errors import ConfigError, WorkspaceBusy
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
    find_fetched_bundle,
    find_local_bundle,
    is_remote,
    pin_digest,
)
from seq2seq_core.training.state.folder_lock import lock_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sweep:
    """A sweep that trials can be taken from.

    Attributes:
        space: what is searched, and by what it is judged.
        study: the trials.
        trainer: trains them.
        num_trials: how many are to come to an end.
    """

    space: SearchSpace
    study: SweepStudy
    trainer: TrialTrainer
    num_trials: int

    def run(self, tracking: SweepTracking, max_trials: int | None = None) -> int:
        """Trains trials until there is none left to claim; returns how many ended here.

        Args:
            tracking: where they are recorded.
            max_trials: at most so many; None: any number.

        Raises:
            Interrupted: the process was asked to stop; the trial that it trained goes on when it is claimed again.
            EnvironmentFault: something outside of the trials failed.
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
        """What the trials came to."""
        return read_results(self.study, self.num_trials)

    def best_state(self) -> Path | None:
        """The folder of the best trial's training state, where it is what training with the settings that are kept comes to."""
        best, sweep = self.study.best(), self.space.sweep
        if best is None or (sweep.settings and not sweep.keep_settings):
            return None
        settings = self._pin(self.space.settings_of(self.study.values_of(best)))
        folder = self.study.trial_folder(best.number) / self.trainer.state_key(settings).folder_name
        return folder if folder.is_dir() else None

    def _run_trial(self, trial: SweepTrial, tracking: SweepTracking) -> None:
        """Trains a trial, tells of it, and notes how it ended."""
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
        """Tells of a trial whose values do not go together, in a run of its own with these as its parameters."""
        end = TrialEnd("failed", reason=reason)
        with trial_run(tracking, trial.number, trial.folder, trial.values) as run:
            _tell_end(end, run)
        return end

    def _train(self, trial: SweepTrial, settings: Settings, tracking: SweepTracking) -> TrialEnd:
        """Trains a trial, once more where it crashes, in a run of its own."""
        while True:
            try:
                return self._train_once(trial, settings, tracking)
            except TrialCrashed as crash:
                logger.warning("trial %d crashed, it goes on once more: %s", trial.number, crash)

    def _train_once(self, trial: SweepTrial, settings: Settings, tracking: SweepTracking) -> TrialEnd:
        """One attempt at a trial."""
        with trial_run(tracking, trial.number, trial.folder, stage_parameters("train", settings)) as run:
            end = self.trainer.train(trial, settings, run.recorder)
            _tell_end(end, run)
            if end.value is not None:
                run.recorder.log_metrics({f"best_{self.space.metric}": end.value, "best_step": float(end.step)})
        if end.value is not None:
            tracking.recorder.log_metrics({f"trial_{self.space.metric}": end.value}, step=trial.number)
        return end

    def _pin(self, settings: Settings) -> Settings:
        """Settings with the digest of the bundle that training begins with."""
        return settings.model_copy(update={"train": pin_digest(settings.train, self.trainer.initial)})


def open_sweep(sweep: SweepSettings, source: str, paths: Paths, worker: int = 0) -> Sweep:
    """A sweep over the workspace's tokenised corpus, begun or gone on with.

    Args:
        sweep: what its file says.
        source: the file, for messages.
        paths: the workspace.
        worker: this process's number, if it is one of several; they spread over the GPUs.

    Raises:
        ConfigError: the sweep or the parameters have faults.
        MissingInput: there is no tokenised corpus.
        UserError: train or dev is empty, the device or the initial weights are missing, or trials of other settings or data have
            the sweep's name.
    """
    space = open_space(sweep, paths.params, source)
    initial = find_initial_bundle(space.settings, paths)
    train = pin_digest(space.settings.train, initial)
    inputs = read_inputs(paths.tokenized, train.dev_sentences)
    placement = choose_placement(spread_devices(space.settings, worker).runtime)
    study = SweepStudy(sweep_folder(sweep, paths), space, _identity(space, train.initial_digest, inputs.digests))
    if sweep.begin_with_current and space.current_values() is None:
        logger.info("no trial has the settings of %s as they are, which are not within space", paths.params.name)
    return Sweep(space, study, TrialTrainer(study, inputs, placement, initial), sweep.trials)


def find_initial_bundle(settings: Settings, paths: Paths) -> InitialBundle | None:
    """The bundle that ``train.initial_weights`` means, fetched where it is in MLflow; None where weights are drawn at random.

    Args:
        settings: section ``train`` names it.
        paths: the workspace.
    """
    if not is_remote(settings.train.initial_weights):
        return find_local_bundle(settings.train, paths)
    if (fetched := find_fetched_bundle(settings.train, paths)) is not None:
        return fetched
    from seq2seq_core.registry.initial_weights import fetch_initial_bundle

    return fetch_initial_bundle(settings.train, paths)


def sweep_folder(sweep: SweepSettings, paths: Paths) -> Path:
    """Where a sweep's trials are."""
    return paths.sweeps / sweep.name


def forget_sweep(sweep: SweepSettings, paths: Paths) -> None:
    """Removes all trials of a sweep.

    Args:
        sweep: names it.
        paths: the workspace.

    Raises:
        WorkspaceBusy: a process trains one of them.
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
    """Settings by which workers with different numbers train on different GPUs, where there are several.

    Args:
        settings: ``runtime.device`` is left as it is unless it is ``auto`` or ``cuda``.
        worker: the number of this one.
    """
    import torch

    num_devices = torch.cuda.device_count()
    if settings.runtime.device not in ("auto", "cuda") or num_devices < 2:
        return settings
    runtime = settings.runtime.model_copy(update={"device": f"cuda:{worker % num_devices}"})
    return settings.model_copy(update={"runtime": runtime})


def _tell_end(end: TrialEnd, run: TrialRun) -> None:
    """Has the run of a trial say how it ended."""
    run.recorder.set_tags({"trial_state": end.state, **({"failure": end.reason} if end.reason else {})})
    run.has_failed = end.state == "failed"


def _identity(space: SearchSpace, initial_digest: str, data: Mapping[str, str]) -> dict[str, object]:
    """What the trials of a sweep have in common; a change of any of it makes them incomparable."""
    sweep = space.sweep
    # The values that the parameters have of what is searched do not matter: --apply changes them.
    anything = {name: space.first_value(name) for name in sweep.space}
    try:
        settings = space.settings_of(anything)
    except ConfigError:
        settings = space.settings
    sections = {name: getattr(settings, name).model_dump(mode="json") for name in ("model", "train")}
    searched = {name: space.sweep.space[name].model_dump(mode="json") for name in sorted(sweep.space)}
    common = {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}
    others = {"space": searched, "seed": sweep.seed, "the tokenised corpus": dict(data)}
    return common | {"train.initial_digest": initial_digest} | others
