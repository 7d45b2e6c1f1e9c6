"""The summary of one run of the graph: stages, scores, decision; for people and for programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Literal

from flows.graph.stage_execution import StageReport
from flows.reports.score_table import ScoreRow, to_cells, to_lines
from seq2seq_core.artifacts import Paths
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import Interrupted, Seq2SeqError
from seq2seq_core.stage_table import CODE

if TYPE_CHECKING:
    from seq2seq_core.config.settings import Settings
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
        is_promotion: whether this run moved the alias ``champion`` to the version of the receipt.
        scores: the test scores beside the champion's and the baselines', where the evaluation is up to date; else empty.
        links: addresses of further pages and files, by name.
    """

    stages: tuple[StageReport, ...] = ()
    failure: Seq2SeqError | None = None
    seconds: float = 0.0
    data_changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    receipt: Receipt | None = None
    is_promotion: bool = False
    scores: tuple[ScoreRow, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def events(self) -> tuple[NotifiedEvent, ...]:
        """The events of this run that a webhook can receive."""
        if isinstance(self.failure, Interrupted):
            return ()
        if self.failure is not None:
            return ("failure",)
        return ("promotion", "success") if self.is_promotion else ("success",)

    def headline(self) -> str:
        """The outcome in one sentence."""
        if self.failure is not None:
            return str(self.failure)
        stages = [report for report in self.stages if report.stage != CODE.name]  # it runs always, and changes nothing by itself
        ran = sum(report.state == "ran" for report in stages)
        what = f"{ran} of {len(stages)} stages ran" if ran else f"nothing to do: all {len(stages)} stages are up to date"
        return f"{what}{f'; {self.decision()}' if self.receipt else ''}"

    def decision(self) -> str:
        """The registration in one sentence; empty where there is none."""
        if self.receipt is None:
            return ""
        version = f"{self.receipt.model_name} version {self.receipt.version}"
        if self.receipt.decision == "champion" and not self.is_promotion:
            return f"{version} is still champion"
        return f"{version} is {self.receipt.decision}: {self.receipt.reason}"

    def told_stages(self) -> tuple[StageReport, ...]:
        """The outcome of each stage, each trouble told once: the failure of the run is told beside this table."""
        told = {str(self.failure)}
        reports = []
        for report in self.stages:
            is_repeated = report.state in ("failed", "not run", "cancelled") and report.reason in told
            reports.append(replace(report, reason="") if is_repeated else report)
            told.add(report.reason)
        return tuple(reports)

    def facts(self) -> dict[str, Any]:
        """Further keys of a notification."""
        receipt = self.receipt
        return {
            "stages": [{"stage": report.stage, "state": report.state, "reason": report.reason} for report in self.stages],
            "notes": list(self.notes),
            "metrics": dict(self.metrics),
            "scores": [asdict(row) for row in self.scores],
            "model": receipt
            and {"name": receipt.model_name, "version": receipt.version, "alias": receipt.decision, "reason": receipt.reason},
            "links": dict(self.links),
        }

    def score_cells(self) -> list[list[str]]:
        """The table of scores as texts, its head first; empty where there are no scores."""
        return to_cells(self.scores, self.receipt.champion_version if self.receipt else None) if self.scores else []

    def describe(self) -> str:
        """The summary for a terminal: stages with their reasons, scores, data changes, notes, decision."""
        width = max((len(report.stage) for report in self.stages), default=0)
        lines = [_line(report, width) for report in self.told_stages()]
        lines += to_lines(self.score_cells()) if self.scores else []
        lines += [f"  data: {line}" for line in self.data_changes]
        lines += [f"  note: {line}" for line in self.notes]
        if self.failure is None:
            lines.append(f"{self.headline()} ({format_seconds(self.seconds)})")
        return "\n".join(lines)


def read_receipt(paths: Paths) -> Receipt | None:
    """The receipt ``reports/registration.json``; None where it is missing or cannot be read."""
    from seq2seq_core.registry.receipts import Receipt

    try:
        return Receipt.from_json(paths.receipt.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def read_drift_lines(paths: Paths, receipt: Receipt | None) -> list[str]:
    """How the corpus of the registered version differs from the champion's, as a line; none where nothing was compared."""
    from seq2seq_core.registry.profiles.drift_check import read_drift

    report = None if receipt is None else read_drift(receipt.model_name, receipt.version, paths)
    return [] if report is None else [report.sentence()]


def read_corpus_lines(paths: Paths, settings: Settings, present: Collection[str]) -> list[str]:
    """What the corpus means for scores and sizes, a line each; none where nothing is to be said.

    Args:
        paths: the workspace; reads ``reports/prepare.json``.
        settings: of the run.
        present: names of the stages whose outputs are there.
    """
    from seq2seq_core.corpus.leakage.split_note import read_split_note
    from seq2seq_core.corpus_survey.choices.size_rules import read_size_note

    if "prepare" not in present:
        return []
    notes = [read_size_note(settings, paths.prepare_report)]
    notes += [read_split_note(paths.prepare_report)] if "evaluate" in present else []
    return [note for note in notes if note]


def _line(report: StageReport, width: int) -> str:
    reason = shorten(report.reason, REASON_CHARACTERS, placeholder=" …")
    return f"  {report.stage:{width}}  {STATE_WORDS[report.state]:9}  {_duration(report):>10}  {reason}".rstrip()


def _duration(report: StageReport) -> str:
    return format_seconds(report.seconds) if report.state in ("ran", "failed", "cancelled") else ""
