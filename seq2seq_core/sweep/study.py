"""The trials of a sweep on disk: begun, resumed and ended by one process or by several at once.

A trial belongs to the process that holds the lock of its folder. A trial that has not ended and that no process holds was
interrupted: the next process that looks for work resumes it with its values, before it begins a new trial. Optuna's draws for a
trial depend only on the sweep's seed, the trial's number and the trials before it. So a sweep by one process gives the same
trials with and without an interruption.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from seq2seq_core.errors import UserError, WorkspaceBusy
from seq2seq_core.file_lock import wait_for_lock
from seq2seq_core.redaction.redactor import redact
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.sweep.distributions import decode_values, encode_values, make_pruner, suggest_values
from seq2seq_core.sweep.journal import open_journal
from seq2seq_core.sweep.space import SearchSpace
from seq2seq_core.training.state.folder_lock import lock_folder

IDENTITY, REASON, STEPS, CRASHES = "identity", "reason", "steps", "crashes"
JOURNAL_FILE = "journal.jsonl"


@dataclass(frozen=True)
class SweepTrial:
    """A trial that this process holds.

    Attributes:
        number: the trial's number, from 0, in the order of their start.
        values: values of the searched settings, by name.
        folder: the folder of its training state.
        trial: Optuna's trial.
    """

    number: int
    values: dict[str, Any]
    folder: Path
    trial: optuna.Trial

    def reported_steps(self) -> frozenset[int]:
        """The updates whose value was already reported."""
        frozen = self.trial.study.get_trials(deepcopy=False)[self.number]
        return frozenset(frozen.intermediate_values)

    def report(self, step: int, value: float) -> None:
        """Reports the metric at an update to Optuna."""
        self.trial.report(value, step)

    def add_crash(self, reason: str) -> int:
        """Records the reason of a crash; returns the number of crashes."""
        crashes = [*self.trial.user_attrs.get(CRASHES, ()), redact(reason)]
        self.trial.set_user_attr(CRASHES, crashes)
        return len(crashes)

    def should_be_pruned(self) -> bool:
        """Whether to prune the trial, by its last reported value."""
        return self.trial.should_prune()


class SweepStudy:
    """The trials of one sweep.

    Args:
        folder: the sweep's folder, which is created if it is missing.
        space: the search space.
        identity: the settings and data that all trials must share, by name.

    Raises:
        UserError: the folder has trials with another identity, which are not comparable.
    """

    def __init__(self, folder: Path, space: SearchSpace, identity: Mapping[str, object]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.folder, self.space = folder, space
        folder.mkdir(parents=True, exist_ok=True)
        with self._exclusive():
            self.storage = open_journal(folder / JOURNAL_FILE)
            self.study = optuna.create_study(
                storage=self.storage,
                pruner=make_pruner(space.sweep.pruning, space.settings),
                study_name=space.sweep.name,
                direction=StudyDirection.MAXIMIZE if space.is_higher_better else StudyDirection.MINIMIZE,
                load_if_exists=True,
            )
            self._check_identity(json.loads(json.dumps(identity)))

    @contextmanager
    def claim(self, num_trials: int) -> Iterator[SweepTrial | None]:
        """Claims a trial to train for the ``with`` block; gives None where none is left.

        Args:
            num_trials: maximum number of trials of the study; no new trial is begun beyond it.
        """
        with ExitStack() as held:
            with self._exclusive():
                trial = self._take_interrupted(held) or self._begin(num_trials, held)
            yield trial

    def complete(self, trial: SweepTrial, value: float, best_step: int) -> None:
        """Ends a trial as completed.

        Args:
            trial: held by this process.
            value: the trial's best value of the metric.
            best_step: the update with the best value.
        """
        trial.trial.set_user_attr(STEPS, best_step)
        self._end(trial, TrialState.COMPLETE, value)

    def prune(self, trial: SweepTrial, step: int) -> None:
        """Ends a trial as pruned after an update."""
        trial.trial.set_user_attr(STEPS, step)
        self._end(trial, TrialState.PRUNED)

    def fail(self, trial: SweepTrial, reason: str) -> None:
        """Ends a trial as failed."""
        trial.trial.set_user_attr(REASON, redact(reason))
        self._end(trial, TrialState.FAIL)

    def ended(self) -> list[FrozenTrial]:
        """The ended trials, in the order of their start."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]

    def values_of(self, trial: FrozenTrial) -> dict[str, Any]:
        """The values of a trial, by setting name."""
        return decode_values(trial.params, self.space)

    def best(self) -> FrozenTrial | None:
        """The completed trial with the best value, the first of equal ones; None where no trial is completed."""
        completed = [trial for trial in self.ended() if trial.state is TrialState.COMPLETE]
        sign = -1.0 if self.space.is_higher_better else 1.0
        return min(completed, key=lambda trial: (sign * float(trial.value or 0.0), trial.number), default=None)

    def trial_folder(self, number: int) -> Path:
        """The folder of a trial's training state."""
        return self.folder / "trials" / str(number)

    def _check_identity(self, identity: dict[str, object]) -> None:
        """Stores the identity of a new study, or checks that an existing study has the same one."""
        known = self.study.user_attrs.get(IDENTITY)
        if known is None:
            if self.space.sweep.begin_with_current and (values := self.space.current_values()) is not None:
                self.study.enqueue_trial(encode_values(values), skip_if_exists=True)
            self.study.set_user_attr(IDENTITY, identity)
            return
        if different := [name for name in {**known, **identity} if known.get(name) != identity.get(name)]:
            raise UserError(
                f"{self.folder}: the sweep {self.space.sweep.name!r} was begun with another value of {', '.join(different)}, and "
                "its trials do not compare with those asked for; expected the same, or another name (--name), or --from-scratch"
            )

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Holds the lock under which one process at a time looks for work."""
        with wait_for_lock(self.folder / "claim.lock"):
            yield

    def _take_interrupted(self, held: ExitStack) -> SweepTrial | None:
        """Takes the first trial that has not ended and that no process holds."""
        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            with ExitStack() as attempt:
                try:
                    attempt.enter_context(lock_folder(self.trial_folder(frozen.number)))
                except WorkspaceBusy:
                    continue
                # It may have ended before we got the lock.
                if self.study.get_trials(deepcopy=False)[frozen.number].state is TrialState.RUNNING:
                    held.enter_context(attempt.pop_all())
                    return self._continue(frozen.number)
        return None

    def _begin(self, num_trials: int, held: ExitStack) -> SweepTrial | None:
        """Begins a new trial; None where there are enough."""
        trials = self.study.get_trials(deepcopy=False)
        waiting = [trial.number for trial in trials if trial.state is TrialState.WAITING]
        if len(trials) - len(waiting) >= num_trials:
            return None
        number = min(waiting, default=len(trials))
        held.enter_context(lock_folder(self.trial_folder(number)))
        self._seed(number)
        asked = self.study.ask()
        assert asked.number == number
        return self._continue(number)

    def _continue(self, number: int) -> SweepTrial:
        """The trial of a locked folder; draws the values that were missing when it was interrupted."""
        self._seed(number)
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        trial = optuna.Trial(self.study, self.storage.get_trial_id_from_study_id_trial_number(study_id, number))
        values = suggest_values(trial, self.space, lambda name: self._seed(number, name))
        return SweepTrial(number, values, self.trial_folder(number), trial)

    def _seed(self, number: int, name: str = "") -> None:
        """Seeds the draws for a trial by its number and the setting, so that they do not depend on earlier draws."""
        sweep = self.space.sweep
        seed = derive_seed(sweep.seed, "sweep", number, name) % 2**32
        self.study.sampler = TPESampler(n_startup_trials=sweep.random_trials, seed=seed)

    def _end(self, trial: SweepTrial, state: TrialState, value: float | None = None) -> None:
        """Ends a trial, and removes the training states of all ended trials but the best."""
        self.study.tell(trial.number, value, state)
        with self._exclusive():
            best = self.best()
            for ended in self.ended():
                if best is None or ended.number != best.number:
                    for state_folder in self.trial_folder(ended.number).glob("*-*/"):
                        shutil.rmtree(state_folder)
