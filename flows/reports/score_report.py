"""The report of a run of the flow ``score``: for the webhook, and as an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_markdown_artifact

from flows.reports.summary import NotifiedEvent
from flows.server.run_names import artifact_key
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import Interrupted, Seq2SeqError

if TYPE_CHECKING:
    from seq2seq_core.bulk.bulk_request import BulkSummary

REPORT_KEY = "score-report"
PROGRESS_KEY = "score-progress"


@dataclass(frozen=True)
class ScoreReport:
    """A bulk job that has ended, or failed.

    Attributes:
        summary: the job's; None where it failed.
        failure: the error of a failed job, else None.
        output: the folder of the shards.
    """

    summary: BulkSummary | None
    failure: Seq2SeqError | None
    output: str

    @property
    def events(self) -> Sequence[NotifiedEvent]:
        """See :class:`~flows.reports.webhook.Ended`."""
        if isinstance(self.failure, Interrupted):
            return ()
        return ("failure",) if self.failure is not None else ("success",)

    @property
    def seconds(self) -> float:
        """See :class:`~flows.reports.webhook.Ended`."""
        return 0.0 if self.summary is None else self.summary.seconds

    def headline(self) -> str:
        """See :class:`~flows.reports.webhook.Ended`."""
        return str(self.failure) if self.summary is None else self.summary.headline()

    def facts(self) -> dict[str, Any]:
        """See :class:`~flows.reports.webhook.Ended`."""
        model, metrics = None, {}
        if self.summary is not None:
            reference, _, version = self.summary.model.rpartition("/")
            model = {"name": reference.removeprefix("models:/"), "version": version, "alias": None, "reason": ""}
            metrics = {
                "rows": self.summary.num_rows,
                "errors": self.summary.num_errors,
                "cut": self.summary.num_cut,
                "withheld": self.summary.num_withheld,
            }
        return {"stages": [], "notes": [], "metrics": metrics, "scores": [], "model": model, "links": {"output": self.output}}

    def to_markdown(self) -> str:
        """The artifact: counts, model, and where the output lies."""
        if self.summary is None:
            what = "stopped" if isinstance(self.failure, Interrupted) else "failed"
            return f"# Score: {what}\n\n```text\n{self.failure}\n```\n\nOutput: `{self.output}`; what is finished stays.\n"
        found = self.summary
        rows = {
            "rows": f"{found.num_rows:,} ({found.num_decoded:,} in this run, {format_seconds(found.seconds)})",
            "rows with an error": f"{found.num_errors:,}",
            "predictions cut at their length limit": f"{found.num_cut:,}",
            "answers withheld": f"{found.num_withheld:,}",
            "input files": f"{found.num_files:,}",
            "shards": f"{found.num_shards:,}",
            "output": f"`{self.output}`",
            "model": f"`{found.model}`",
            "its digest": f"`{found.bundle_digest}`",
            "engine": found.engine,
        }
        table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
        error = f"\n\nThe first error:\n\n```text\n{found.first_error}\n```" if found.first_error else ""
        return f"# Score: done\n\n| | |\n| --- | --- |\n{table}{error}\n"


def publish_score(report: ScoreReport, model_name: str) -> None:
    """Stores the artifact; must be called within a flow run.

    Args:
        report: the job.
        model_name: ``register.model_name``; the artifact's key begins with it.
    """
    headline = report.headline().splitlines()[0]
    create_markdown_artifact(report.to_markdown(), key=artifact_key(model_name, REPORT_KEY), description=headline)
