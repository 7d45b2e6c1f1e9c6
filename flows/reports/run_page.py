"""The artifacts of a flow run in Prefect: a Markdown report and a table of the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.graph.stage_execution import StageReport
from flows.reports.score_table import is_text
from flows.reports.summary import STATE_WORDS, RetrainSummary
from flows.server.run_names import artifact_key
from seq2seq_core.console import format_seconds

if TYPE_CHECKING:
    pass

REPORT_KEY = "retrain-report"
TABLE_KEY = "retrain-stages"
MARKS = {"ran": "✅", "cached": "⏭️", "failed": "❌", "cancelled": "⏹️", "not run": "▫️"}


def publish_report(summary: RetrainSummary, model_name: str) -> None:
    """Stores both artifacts; must be called within a flow run.

    Args:
        summary: the run.
        model_name: ``register.model_name``; the artifacts' keys begin with it.
    """
    create_markdown_artifact(
        to_markdown(summary), key=artifact_key(model_name, REPORT_KEY), description=summary.headline().splitlines()[0]
    )
    create_table_artifact(
        to_table(summary), key=artifact_key(model_name, TABLE_KEY), description="What became of each stage of dvc.yaml"
    )


def to_markdown(summary: RetrainSummary) -> str:
    """The Markdown report of a run."""
    parts = [_outcome(summary), _stages(summary), _scores(summary), _decision(summary)]
    parts += [_list("Data", summary.data_changes), _list("Notes", summary.notes), _links(summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def to_table(summary: RetrainSummary) -> list[dict[str, Any]]:
    """The table of a run, a row for each stage."""
    return [
        {
            "stage": report.stage,
            "state": report.state,
            "seconds": round(report.seconds, 1),
            "attempts": report.attempts,
            "reason": report.reason,
        }
        for report in summary.stages
    ]


def _outcome(summary: RetrainSummary) -> str:
    if summary.failure is None:
        return f"# Retrain: done in {format_seconds(summary.seconds)}\n\n{_escape(summary.headline())}"
    return f"# Retrain: failed after {format_seconds(summary.seconds)}\n\n```text\n{summary.failure}\n```"


def _stages(summary: RetrainSummary) -> str:
    if not summary.stages:
        return "No stage was started."
    rows = [_stage_row(report) for report in summary.told_stages()]
    return "\n".join(["## Stages", "", "| stage | | time | why |", "| --- | --- | ---: | --- |", *rows])


def _stage_row(report: StageReport) -> str:
    time = format_seconds(report.seconds) if report.seconds else ""
    again = f" ({report.attempts} attempts)" if report.attempts > 1 else ""
    state = f"{MARKS[report.state]} {STATE_WORDS[report.state]}{again}"
    return f"| {_escape(report.stage)} | {state} | {time} | {_escape(report.reason)} |"


def _scores(summary: RetrainSummary) -> str:
    """The test scores, with those of the champion and of the baselines beside them."""
    if not summary.scores:
        return ""
    head, *rows = summary.score_cells()
    rule = ["---" if is_text(name) else "---:" for name in head]
    return "\n".join(["## Scores", "", *(f"| {' | '.join(map(_escape, line))} |" for line in (head, rule, *rows))])


def _decision(summary: RetrainSummary) -> str:
    receipt = summary.receipt
    if receipt is None:
        return ""
    place = f"/{receipt.version}" if receipt.decision == "experiment" else f"@{receipt.decision}"
    name = f"`models:/{receipt.model_name}{place}`"
    return f"## Decision\n\n{_escape(summary.decision())} ({name})"


def _links(summary: RetrainSummary) -> str:
    return _list("Links", tuple(f"{name}: {_address(address)}" for name, address in summary.links.items()), escape=False)


def _address(address: str) -> str:
    return f"<{address}>" if address.startswith("http") else f"`{address}`"


def _list(title: str, lines: tuple[str, ...], escape: bool = True) -> str:
    if not lines:
        return ""
    return "\n".join([f"## {title}", "", *(f"- {_escape(line) if escape else line}" for line in lines)])


def _escape(text: str) -> str:
    """A text in one line, with Markdown's special characters escaped."""
    for mark in "\\`*_|<>[]":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
