"""The summary of one run of the graph: stages, scores, decision; for people and for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal

from flows.graph.stage_execution import StageReport
from seq2seq_core.artifacts import Paths
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import Interrupted, Seq2SeqError

if TYPE_CHECKING:
    from seq2seq_core.registry.receipts import Receipt

NotifiedEvent = Literal["failure", "promotion", "success"]
REASON_CHARACTERS = 100
STATE_WORDS = {
    "ran": "ran",
    "cached": "skipped",
    "failed": "FAILED",
    "cancelled": "cancelled",
    "not run": "not run",
}


@dataclass(frozen=True)
class RetrainSummary:
    """The summary of one run of the graph.

    Attributes:
        stages: the outcome of each stage, in the order of the graph; empty where the run failed before the first stage.
        failure: the error of a failed run, else None.
        seconds: duration of the run.
        data_changes: the changes of the refresh, a line for each ``.dvc`` file.
        notes: other actions and remarks, a line each.
        metrics: ``reports/metrics.json``, flat, where it is up to date; else empty.
        receipt: the registration's receipt, where it is up to date; else None.
        links: addresses of further pages and files, by name.
    """

    stages: tuple[StageReport, ...] = ()
    failure: Seq2SeqError | None = None
    seconds: float = 0.0
    data_changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    receipt: Receipt | None = None
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_registered(self) -> bool:
        """Whether the stage ``register`` was executed in this run."""
        return any(report.stage == "register" and report.state == "ran" for report in self.stages)

    @property
    def events(self) -> tuple[NotifiedEvent, ...]:
        """The events of this run that a webhook can receive."""
        if isinstance(self.failure, Interrupted):
            return ()
        if self.failure is not None:
            return ("failure",)
        promoted = self.has_registered and self.receipt is not None and self.receipt.decision == "champion"
        return ("promotion", "success") if promoted else ("success",)

    def headline(self) -> str:
        """The outcome in one sentence."""
        if self.failure is not None:
            return str(self.failure)
        ran = sum(report.state == "ran" for report in self.stages)
        what = f"{ran} of {len(self.stages)} stages ran" if ran else f"nothing to do: all {len(self.stages)} stages are up to date"
        return f"{what}{f'; {self.decision()}' if self.receipt else ''}"

    def decision(self) -> str:
        """The registration in one sentence; empty where there is none."""
        if self.receipt is None:
            return ""
        return f"{self.receipt.model_name} version {self.receipt.version} is {self.receipt.decision}: {self.receipt.reason}"

    def describe(self) -> str:
        """The summary for a terminal: stages with their reasons, data changes, notes, decision."""
        width = max((len(report.stage) for report in self.stages), default=0)
        lines = [_line(report, width) for report in self.stages]
        lines += [f"  data: {line}" for line in self.data_changes]
        lines += [f"  note: {line}" for line in self.notes]
        if self.failure is None:
            lines.append(f"{self.headline()} ({format_seconds(self.seconds)})")
        return "\n".join(lines)


def read_metrics(paths: Paths) -> dict[str, float]:
    """The numbers of ``reports/metrics.json``, flat (``test.exact_match``); empty where it is missing or no JSON."""
    try:
        values = json.loads(paths.metrics.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return dict(_flatten(values, ""))


def read_receipt(paths: Paths) -> Receipt | None:
    """The receipt ``reports/registration.json``; None where it is missing or cannot be read."""
    from seq2seq_core.registry.receipts import Receipt

    try:
        return Receipt.from_json(paths.receipt.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _flatten(values: Any, name: str) -> Iterator[tuple[str, float]]:
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _flatten(value, f"{name}.{key}" if name else str(key))
    elif isinstance(values, int | float) and not isinstance(values, bool) and math.isfinite(values):
        yield name, float(values)


def _line(report: StageReport, width: int) -> str:
    reason = shorten(report.reason, REASON_CHARACTERS, placeholder=" …")
    return f"  {report.stage:{width}}  {STATE_WORDS[report.state]:9}  {_duration(report):>10}  {reason}".rstrip()


def _duration(report: StageReport) -> str:
    return format_seconds(report.seconds) if report.state in ("ran", "failed", "cancelled") else ""
