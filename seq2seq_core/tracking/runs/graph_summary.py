"""The summary of a graph run on MLflow's page: the outcome in words, and the final metrics for the comparison of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from seq2seq_core.config.metric_names import list_metrics
from seq2seq_core.console import format_seconds
from seq2seq_core.json_text import shorten

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

_COPIED_TAGS = ("bundle_digest", "decision", "decision_reason", "model_version")
TRAINED_TAG = "trained_bundle_digest"
"""The tag of a run that works on a served bundle: the digest of the bundle that training made."""
WHY_TAG = "why"
"""The tag of a stage's run that says why it ran."""
EXPERIMENT_TAG = "dvc_experiment"
WHY_CHARACTERS = 300
_BAD = {"FAILED": "failed", "KILLED": "stopped"}
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
    client.update_run(run_id, name=graph_name(parent.data.tags, children, tags))
    _score_training(client, parent, children, metrics)


def graph_name(parent: Mapping[str, str], children: list[Run], tags: Mapping[str, str]) -> str:
    """The name of a graph run that has ended: the model, and what became of it.

    Args:
        parent: the tags of the parent run; ``model_name`` is the model's.
        children: the stages' runs, oldest first.
        tags: decision and version, where a model was registered.
    """
    model = parent.get("model_name", "model")
    if children and (state := children[-1].info.status) in _BAD:
        return f"{model} {_BAD[state]}: {children[-1].data.tags.get('stage', '?')}"
    if "decision" in tags:
        return f"{model} v{tags.get('model_version', '?')} {tags['decision']} {parent.get(EXPERIMENT_TAG, '')}".strip()
    stages = dict.fromkeys(child.data.tags.get("stage", "?") for child in children)
    return f"{model} {', '.join(stages)} done" if stages else f"{model} up to date"


def _score_training(client: MlflowClient, parent: Run, children: list[Run], metrics: dict[str, float]) -> None:
    """Writes the test scores of a model to the run of its training too, beside the curves."""
    digest = next((child.data.tags[TRAINED_TAG] for child in children if TRAINED_TAG in child.data.tags), None)
    if digest is None or not metrics:
        return
    query = f"tags.stage = 'train' and tags.bundle_digest = '{digest}'"
    for run in client.search_runs([parent.info.experiment_id], query, max_results=1):
        for name, value in metrics.items():
            client.log_metric(run.info.run_id, name, value)


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
        lines += ["| stage | | time | why |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {child.data.tags.get('stage', '?')} | {_state(child)} | {_duration(child)} | {_why(child)} |" for child in children
        ]
    return "\n".join(lines).strip() + "\n"


def _outcome(children: list[Run], tags: dict[str, str]) -> str:
    """The end of the graph run in a sentence, with the message of a failure."""
    if not children:
        return "Nothing ran: every stage was up to date."
    bad = [child for child in children if child.info.status in ("FAILED", "KILLED")]
    if bad and bad[-1] is children[-1]:
        verb = "failed" if bad[-1].info.status == "FAILED" else "was stopped"
        failure = bad[-1].data.tags.get("failure", "").strip()
        return f"Stage **{bad[-1].data.tags.get('stage', '?')}** {verb}" + (f":\n\n```text\n{failure}\n```" if failure else ".")
    if "decision" in tags:
        return f"Version **{tags.get('model_version', '?')}** is **{tags['decision']}**: {tags.get('decision_reason', '')}"
    return "Ran: " + ", ".join(child.data.tags.get("stage", "?") for child in children) + "."


def _why(child: Run) -> str:
    """Why a stage ran, within a cell of a table."""
    return shorten(" ".join(child.data.tags.get(WHY_TAG, "").split()), WHY_CHARACTERS).replace("|", "\\|")


def _state(child: Run) -> str:
    """The state of a stage's run in a word."""
    return _MARKS.get(child.info.status, str(child.info.status).lower())


def _duration(child: Run) -> str:
    """The duration of a stage's run."""
    return format_seconds((child.info.end_time - child.info.start_time) / 1000) if child.info.end_time else "?"
