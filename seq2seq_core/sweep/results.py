"""What a sweep came to: its trials by rank, how much each setting mattered, and the best."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from seq2seq_core.errors import UserError
from seq2seq_core.sweep.study import REASON, STEPS, SweepStudy

STATE_WORDS = {TrialState.COMPLETE: "completed", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
LEAST_FOR_IMPORTANCE = 5
"""Completed trials below which nothing is said about what mattered."""


@dataclass(frozen=True)
class TrialResult:
    """One trial that has ended.

    Attributes:
        number: from 0, in the order in which trials were begun.
        state: ``completed``, ``pruned`` or ``failed``.
        value: of the metric: the best, or where the trial was given up the last; None where there is none.
        step: the update that has it.
        values: of the settings that were searched.
        reason: why it failed.
    """

    number: int
    state: str
    value: float | None
    step: int
    values: Mapping[str, Any]
    reason: str = ""


@dataclass(frozen=True)
class SweepResults:
    """What the trials of a sweep came to.

    Attributes:
        name: of the sweep.
        metric: what they are judged by.
        trials: completed ones from the best on, then those given up, then failed ones.
        importances: how much of the differences each setting accounts for; empty where too few trials are completed.
        num_open: trials that have not ended yet.
        num_wanted: how many were asked for.
    """

    name: str
    metric: str
    trials: tuple[TrialResult, ...]
    importances: Mapping[str, float]
    num_open: int
    num_wanted: int

    @property
    def best(self) -> TrialResult:
        """The best of the completed trials.

        Raises:
            UserError: none is completed.
        """
        if self.trials and self.trials[0].state == "completed":
            return self.trials[0]
        reasons = dict.fromkeys(trial.reason for trial in self.trials if trial.reason)
        said = f": {'; '.join(list(reasons)[:3])}" if reasons else ""
        raise UserError(f"sweep {self.name}: no trial was completed of {len(self.trials)} that ended{said}")

    def describe(self) -> str:
        """The trials as a table, and what mattered."""
        lines = [_align(self._rows())]
        if self.importances:
            shares = ", ".join(f"{name} {share:.0%}" for name, share in self.importances.items())
            lines.append(f"share of the differences: {shares}\n")
        if self.num_open:
            lines.append(f"{self.num_open} trial(s) have not ended yet; the same command goes on with them\n")
        return "".join(lines)

    def to_csv(self) -> str:
        """The trials as a table of comma-separated values."""
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(self._rows(digits=6))
        return table.getvalue()

    def _rows(self, digits: int = 4) -> list[list[str]]:
        """The table's rows; a column of reasons only where a trial failed."""
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
    """What the trials of a study came to until now.

    Args:
        study: the trials.
        num_wanted: how many were asked for.
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
    """A setting's value for people: numbers to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _to_result(study: SweepStudy, trial: FrozenTrial) -> TrialResult:
    attributes = trial.user_attrs
    return TrialResult(
        trial.number, STATE_WORDS[trial.state], trial.value, int(attributes.get(STEPS, 0)), study.values_of(trial),
        str(attributes.get(REASON, "")),
    )  # fmt: skip


def _importances(study: SweepStudy, ended: list[FrozenTrial]) -> dict[str, float]:
    """The share of the differences between completed trials that each setting accounts for (Watanabe 2023), largest first."""
    completed = [trial for trial in ended if trial.state is TrialState.COMPLETE]
    if len(completed) < LEAST_FOR_IMPORTANCE or len({trial.value for trial in completed}) == 1:
        return {}
    return dict(optuna.importance.get_param_importances(study.study))


def _align(rows: list[list[str]]) -> str:
    """Rows in columns; the last one, which may be long, to the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    lines = ["  ".join([*map(str.rjust, row[:-1], widths), row[-1]]).rstrip() for row in rows]
    return "\n".join(lines) + "\n"
