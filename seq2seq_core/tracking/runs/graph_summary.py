"""The summary of a graph run on MLflow's page: the outcome in words, and the final metrics for the comparison of runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from seq2seq_core.config.metric_names import list_metrics
from seq2seq_core.console import format_seconds

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

_COPIED_TAGS = ("bundle_digest", "decision", "decision_reason", "model_version")
_MARKS = {"FINISHED": "done", "FAILED": "**failed**", "KILLED": "**stopped**", "RUNNING": "running"}


def describe_graph_run(client: MlflowClient, parent: Run, children: list[Run]) -> None:
    """Writes a parent run's description; copies the test scores, the decision and the data sets to it.

    Args:
        client: the MLflow client.
        parent: the parent run, which receives them.
        children: the stages' runs, oldest first.
    """
    wanted = [f"test_{name}" for name in list_metrics()]
    metrics = {name: child.data.metrics[name] for child in children for name in wanted if name in child.data.metrics}
    tags = {name: child.data.tags[name] for child in children for name in _COPIED_TAGS if name in child.data.tags}
    run_id = parent.info.run_id
    for name, value in metrics.items():
        client.log_metric(run_id, name, value)
    for name, text in tags.items():
        client.set_tag(run_id, name, text)
    if datasets := list(_datasets(children)):
        client.log_inputs(run_id, datasets)
    client.set_tag(run_id, "mlflow.note.content", graph_description(children, metrics, tags))


def _datasets(children: list[Run]) -> Iterator[DatasetInput]:
    """The data sets that the stages read, each once."""
    seen: set[tuple[str, str]] = set()
    for child in children:
        for given in child.inputs.dataset_inputs if child.inputs else ():
            key = (given.dataset.name, given.dataset.digest)
            if key not in seen:
                seen.add(key)
                yield given


def graph_description(children: list[Run], metrics: dict[str, float], tags: dict[str, str]) -> str:
    """The Markdown description of a graph run.

    Args:
        children: the stages' runs, oldest first.
        metrics: the final test metrics.
        tags: decision and version, where a model was registered.
    """
    lines = [_outcome(children, tags), ""]
    if metrics:
        lines += ["| " + " | ".join(name.removeprefix("test_") for name in metrics) + " |", "|" + " --- |" * len(metrics)]
        lines += ["| " + " | ".join(f"{value:.4g}" for value in metrics.values()) + " |", ""]
    if children:
        lines += ["| stage | | time |", "| --- | --- | --- |"]
        lines += [f"| {child.data.tags.get('stage', '?')} | {_state(child)} | {_duration(child)} |" for child in children]
    return "\n".join(lines).strip() + "\n"


def _outcome(children: list[Run], tags: dict[str, str]) -> str:
    """One sentence on how the graph run ended."""
    if not children:
        return "Nothing ran: every stage was up to date."
    bad = [child for child in children if child.info.status in ("FAILED", "KILLED")]
    if bad and bad[-1] is children[-1]:
        verb = "failed" if bad[-1].info.status == "FAILED" else "was stopped"
        failure = bad[-1].data.tags.get("failure", "").strip()
        return f"Stage **{bad[-1].data.tags.get('stage', '?')}** {verb}" + (f": {failure.splitlines()[0]}" if failure else ".")
    if "decision" in tags:
        return f"Version **{tags.get('model_version', '?')}** is **{tags['decision']}**: {tags.get('decision_reason', '')}"
    return "Ran: " + ", ".join(child.data.tags.get("stage", "?") for child in children) + "."


def _state(child: Run) -> str:
    """The state of a stage's run in a word."""
    return _MARKS.get(child.info.status, str(child.info.status).lower())


def _duration(child: Run) -> str:
    """The duration of a stage's run."""
    return format_seconds((child.info.end_time - child.info.start_time) / 1000) if child.info.end_time else "?"
