"""What the report of a run is made of: the reports of the stages, their ends, and samples of rows, as they are on the disk.

Whatever is missing or damaged leaves a gap: the report is needed most after a failure.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import Paths
from seq2seq_core.corpus.preparation.dropped_rows_page import DroppedRows, read_dropped_rows
from seq2seq_core.drift.drift_report import DriftReport
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.report import WORST_FILE
from seq2seq_core.forecasts.forecast_check import describe_check
from seq2seq_core.model_card.facts import CurvePoint
from seq2seq_core.model_card.origin import read_curve, read_report
from seq2seq_core.outcome import read_outcome
from seq2seq_core.run_report.prepared_samples import PreparedRow, sample_prepared_rows
from seq2seq_core.run_report.stage_end import StageEnd
from seq2seq_core.stage_history.executions import read_execution, read_why
from seq2seq_core.stage_table import WORKING_STAGES

logger = logging.getLogger(__name__)
MOST_ANSWERS = 10
"""Worst answers that the report shows."""
REPORTING_AT_END = ("prepare", "tokenize", "train", "evaluate")
"""Stages whose reports are those of their last success; only a ``prepare`` that lost too many rows leaves others."""


@dataclass(frozen=True)
class RunFacts:
    """The facts of the last run in a workspace.

    Attributes:
        title: of the page.
        ends: of the stages, in their order.
        validation: the report of ``validate``.
        funnels: the report of ``prepare``.
        rows: samples of the rows that it dropped or changed; None: there are none.
        kept: samples of those that it kept.
        tokens: the report of ``tokenize``.
        training: the report of ``train``.
        curve: its curve.
        scores: every figure of ``evaluate``.
        worst: its worst answers, by column.
        receipt: of ``register``.
        drift: from the champion's corpus; None: nothing was compared.
        data_docs: the page of Data Docs, relative to the workspace; empty: there is none.
    """

    title: str
    ends: Sequence[StageEnd]
    validation: Mapping[str, Any] = field(default_factory=dict)
    funnels: Mapping[str, Any] = field(default_factory=dict)
    rows: DroppedRows | None = None
    kept: Sequence[PreparedRow] = ()
    tokens: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    curve: Sequence[CurvePoint] = ()
    scores: Mapping[str, Any] = field(default_factory=dict)
    worst: Sequence[Mapping[str, str]] = ()
    receipt: Mapping[str, Any] = field(default_factory=dict)
    drift: DriftReport | None = None
    data_docs: str = ""

    @property
    def failure(self) -> StageEnd | None:
        """The end of the stage that ran last, if it did not succeed."""
        last = max(self.ends, key=lambda end: end.time, default=None)
        return last if last is not None and last.time and not last.is_good else None

    def is_earlier(self, stage: str) -> bool:
        """Whether what is known of a stage is of an earlier run than the failure.

        Args:
            stage: its name.
        """
        if self.failure is None:
            return False
        if stage == self.failure.stage:
            return stage in REPORTING_AT_END and not (stage == "prepare" and self.rows is not None and self.rows.has_stopped)
        names = [end.stage for end in self.ends]
        return names.index(stage) > names.index(self.failure.stage)


def read_run_facts(paths: Paths, title: str, end: StageEnd | None = None) -> RunFacts:
    """The facts of the last run.

    Args:
        paths: the workspace.
        title: of the page.
        end: of the stage that ends just now, whose outcome is not written yet; None: there is none.
    """
    ends = [
        replace(end, why=read_why(end.stage, paths), forecast=describe_check(end.stage, end.time, paths))
        if end is not None and end.stage == stage.name
        else _read_end(paths, stage.name)
        for stage in WORKING_STAGES
    ]
    rows = _read_rows(paths)
    has_stopped = rows is not None and rows.has_stopped
    prepare = paths.stopped_prepare / paths.prepare_report.name if has_stopped else paths.prepare_report
    receipt = read_report(paths.receipt)
    return RunFacts(
        title=title,
        ends=ends,
        validation=_read_validation(paths, ends),
        funnels=read_report(prepare),
        rows=rows,
        kept=[] if has_stopped else sample_prepared_rows(paths),
        tokens=read_report(paths.tokenize_report),
        training=read_report(paths.train_report),
        curve=read_curve(paths.training_curve),
        scores=read_report(paths.evaluation_scores),
        worst=_read_worst(paths),
        receipt=receipt,
        drift=_read_drift(paths, receipt),
        data_docs=_find_data_docs(paths),
    )


def _find_data_docs(paths: Paths) -> str:
    page = paths.data_docs / "index.html"
    return page.relative_to(paths.root).as_posix() if page.is_file() else ""


def _read_end(paths: Paths, stage: str) -> StageEnd:
    outcome = read_outcome(paths.outcomes, stage)
    if outcome is None:
        return StageEnd(stage)
    last = read_execution(stage, paths) if outcome.kind == "ok" else None
    why, seconds = (last.why, last.seconds) if last is not None else ((), 0.0)
    foretold = "" if last is None else describe_check(stage, last.ended, paths)
    return StageEnd(stage, outcome.kind, outcome.message, _modified(paths.outcomes / f"{stage}.json"), why, seconds, foretold)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _read_validation(paths: Paths, ends: Sequence[StageEnd]) -> dict[str, Any]:
    """The report of the last ``validate``: one that failed left it in the work folder alone."""
    has_failed = next(end for end in ends if end.stage == "validate").kind not in ("", "ok")
    is_there = paths.validation_report.is_file() and not has_failed
    return read_report(paths.validation_report if is_there else paths.last_validation)


def _read_rows(paths: Paths) -> DroppedRows | None:
    try:
        return read_dropped_rows(paths)
    except UserError as error:
        logger.debug("no samples of rows: %s", error)
        return None


def _read_worst(paths: Paths) -> list[dict[str, str]]:
    """The worst answers of test; of a table that cannot be read, none."""
    try:
        with (paths.evaluation / WORST_FILE).open(encoding="utf-8", newline="") as file:
            rows = list(islice(csv.DictReader(file), MOST_ANSWERS))
    except (OSError, ValueError, csv.Error) as error:
        logger.debug("no worst answers: %s", error)
        return []
    return [row for row in rows if None not in row and None not in row.values()]  # a row of another width is damaged


def _read_drift(paths: Paths, receipt: Mapping[str, Any]) -> DriftReport | None:
    """The drift that was found when the version of the receipt was decided on."""
    kept = read_report(paths.drift)
    if not kept or (kept.get("model"), kept.get("version")) != (receipt.get("model_name"), receipt.get("version")):
        return None
    try:
        return DriftReport.model_validate(kept.get("report"))
    except ValueError:
        return None
