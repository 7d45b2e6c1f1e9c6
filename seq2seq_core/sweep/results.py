"""The results of a sweep: trials by rank, importance of each setting, best trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from seq2seq_core.csv_text import format_csv
from seq2seq_core.errors import UserError
from seq2seq_core.sweep.study import REASON, STEPS, SweepStudy

STATE_WORDS = {TrialState.COMPLETE: "completed", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
LEAST_FOR_IMPORTANCE = 5
"""Minimum number of completed trials for the importance of settings."""


@dataclass(frozen=True)
class TrialResult:
    """One trial that has ended.

    Attributes:
        number: the trial's number, from 0, in the order of their start.
        state: ``completed``, ``pruned`` or ``failed``.
        value: best value of the metric; the last value of a pruned trial; None where there is none.
        step: the update with this value.
        values: values of the searched settings, by name.
        reason: reason of the failure.
    """

    number: int
    state: str
    value: float | None
    step: int
    values: Mapping[str, Any]
    reason: str = ""


@dataclass(frozen=True)
class SweepResults:
    """The results of a sweep.

    Attributes:
        name: the sweep's name.
        metric: the metric of the ranking.
        trials: the completed trials, best first, then the pruned, then the failed ones.
        importances: share of the differences that each setting explains; empty where too few trials are completed.
        num_open: number of trials that have not ended.
        num_wanted: requested number of trials.
    """

    name: str
    metric: str
    trials: tuple[TrialResult, ...]
    importances: Mapping[str, float]
    num_open: int
    num_wanted: int

    @property
    def best(self) -> TrialResult:
        """The best completed trial.

        Raises:
            UserError: no trial is completed.
        """
        if self.trials and self.trials[0].state == "completed":
            return self.trials[0]
        reasons = dict.fromkeys(trial.reason for trial in self.trials if trial.reason)
        said = f": {'; '.join(list(reasons)[:3])}" if reasons else ""
        raise UserError(f"sweep {self.name}: no trial was completed of {len(self.trials)} that ended{said}")

    def describe(self) -> str:
        """The trials as a table, and the importance of settings."""
        lines = [_align(self._rows())]
        if self.importances:
            shares = ", ".join(f"{name} {share:.0%}" for name, share in self.importances.items())
            lines.append(f"share of the differences: {shares}\n")
        if self.num_open:
            lines.append(f"{self.num_open} trial(s) have not ended yet; the same command goes on with them\n")
        return "".join(lines)

    def to_csv(self) -> str:
        """The trials as CSV."""
        return format_csv(self._rows(digits=6))

    def _rows(self, digits: int = 4) -> list[list[str]]:
        """The rows of the table; there is a column of reasons only where a trial failed."""
        names = list(self.trials[0].values) if self.trials else []
        has_reasons = any(trial.reason for trial in self.trials)
        rows = [["rank", "trial", self.metric, "step", "state", *names, *(["reason"] if has_reasons else [])]]
        for rank, trial in enumerate(self.trials, start=1):
            figures = ["" if trial.value is None else f"{trial.value:.{digits}f}", str(trial.step) if trial.step else ""]
            values = [describe_value(trial.values.get(name, "")) for name in names]
            reasons = [trial.reason] if has_reasons else []
            rows.append([str(rank), str(trial.number), *figures, trial.state, *values, *reasons])
        return rows


def read_results(study: SweepStudy, num_wanted: int) -> SweepResults:
    """The results of a study so far.

    Args:
        study: the trials.
        num_wanted: requested number of trials.
    """
    sign = -1.0 if study.space.is_higher_better else 1.0
    order = list(STATE_WORDS.values())
    ended = study.ended()
    trials = sorted(
        (_to_result(study, trial) for trial in ended),
        key=lambda trial: (order.index(trial.state), sign * (trial.value or 0.0), trial.number),
    )
    num_open = len(study.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
    return SweepResults(study.space.sweep.name, study.space.metric, tuple(trials), _importances(study, ended), num_open, num_wanted)


def describe_values(values: Mapping[str, Any]) -> str:
    """Settings in one line."""
    return ", ".join(f"{name} {describe_value(value)}" for name, value in values.items())


def describe_value(value: object) -> str:
    """A setting's value as text, numbers with four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _to_result(study: SweepStudy, trial: FrozenTrial) -> TrialResult:
    attributes = trial.user_attrs
    return TrialResult(
        trial.number, STATE_WORDS[trial.state], trial.value, int(attributes.get(STEPS, 0)), study.values_of(trial),
        str(attributes.get(REASON, "")),
    )  # fmt: skip


def _importances(study: SweepStudy, ended: list[FrozenTrial]) -> dict[str, float]:
    """The share of the differences between completed trials that each setting explains (Watanabe 2023), largest first."""
    completed = [trial for trial in ended if trial.state is TrialState.COMPLETE]
    if len(completed) < LEAST_FOR_IMPORTANCE or len({trial.value for trial in completed}) == 1:
        return {}
    return dict(optuna.importance.get_param_importances(study.study))


def _align(rows: list[list[str]]) -> str:
    """Rows in columns, right-aligned but for the last column, which may be long."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    lines = ["  ".join([*map(str.rjust, row[:-1], widths), row[-1]]).rstrip() for row in rows]
    return "\n".join(lines) + "\n"
