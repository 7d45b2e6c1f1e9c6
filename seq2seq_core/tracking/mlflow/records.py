"""The records of a run, as data: what is logged waits in memory and on the disk in this form until MLflow has it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mlflow import MlflowClient

Kind = Literal["params", "tags", "points", "text", "file", "dataset", "end"]
LONGEST_DIGEST = 36
MOST_POINTS_A_REQUEST = 1000


@dataclass(frozen=True)
class Record:
    """One request to MLflow about a run.

    Attributes:
        kind: what is logged.
        content: of JSON's types, by kind: names and texts of ``params`` and ``tags``; a list of ``[name, value, timestamp, step]``
            under ``points``; ``name`` and ``text``; ``copy`` (below the outbox's folder) and ``folder``; ``name``, ``digest``,
            ``path`` and ``context``; ``status`` and ``end_time``.
        tries: how often later runs have sent it to an MLflow that answered and did not take it.
        tried_at: the time of the last of these tries, in seconds since 1970.
    """

    kind: Kind
    content: dict[str, Any]
    tries: int = 0
    tried_at: float = 0.0

    def describe(self) -> str:
        """A description for warnings."""
        match self.kind:
            case "params":
                return f"{len(self.content)} parameters"
            case "tags":
                return f"{len(self.content)} tags"
            case "points":
                steps = [step for _, _, _, step in self.content["points"]]
                return f"{len(steps)} points of curves (steps {min(steps)} to {max(steps)})"
            case "file":
                return f"file {Path(self.content['copy']).name}"
            case "end":
                return f"the end of the run ({self.content['status']})"
            case _:
                return f"{self.kind} {self.content['name']}"


def send_record(client: MlflowClient, run_id: str, record: Record, folder: Path) -> None:
    """Sends a record; sending it twice is harmless.

    Args:
        client: the MLflow client.
        run_id: MLflow's id of the run.
        record: what to send.
        folder: the folder of the copies of files.

    Raises:
        Exception: whatever MLflow's client raises.
    """
    _SENDERS[record.kind](client, run_id, record.content, folder)


def count_texts(texts: Iterable[str]) -> str:
    """Texts in one line, each once and with the number of its occurrences."""
    found = list(texts)
    return ", ".join(f"{found.count(text)} x {text}" if found.count(text) > 1 else text for text in dict.fromkeys(found))


def join_points(records: Iterable[Record]) -> Iterator[Record]:
    """The same records with neighbouring points of curves in one, up to what MLflow takes in a request.

    A record of points that MLflow did not take stays alone.

    Args:
        records: oldest first.
    """
    points: list[object] = []
    for record in records:
        is_full = len(points) + len(record.content.get("points", ())) > MOST_POINTS_A_REQUEST
        is_joined = record.kind == "points" and not record.tries
        if points and (is_full or not is_joined):
            yield Record("points", {"points": points})
            points = []
        if is_joined:
            points = [*points, *record.content["points"]]
        else:
            yield record
    if points:
        yield Record("points", {"points": points})


def _send_params(client: MlflowClient, run_id: str, content: dict[str, Any], _: Path) -> None:
    from mlflow.entities import Param

    client.log_batch(run_id, params=[Param(name, text) for name, text in content.items()])


def _send_tags(client: MlflowClient, run_id: str, content: dict[str, Any], _: Path) -> None:
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, text) for name, text in content.items()])


def _send_points(client: MlflowClient, run_id: str, content: dict[str, Any], _: Path) -> None:
    from mlflow.entities import Metric

    client.log_batch(run_id, metrics=[Metric(*point) for point in content["points"]])


def _send_text(client: MlflowClient, run_id: str, content: dict[str, Any], _: Path) -> None:
    client.log_text(run_id, content["text"], content["name"])


def _send_file(client: MlflowClient, run_id: str, content: dict[str, Any], folder: Path) -> None:
    copy, place = folder / content["copy"], content["folder"]
    if copy.is_dir():
        client.log_artifacts(run_id, str(copy), f"{place}/{copy.name}".strip("/"))
    else:
        client.log_artifact(run_id, str(copy), place or None)


def _send_dataset(client: MlflowClient, run_id: str, content: dict[str, Any], _: Path) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    # MLflow's digests have at most 36 characters; the profile has the full digest.
    digest, source = content["digest"], json.dumps({"uri": content["path"]})
    dataset = Dataset(content["name"], digest[:LONGEST_DIGEST], "local", source, profile=json.dumps({"digest": digest}))
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", content["context"])])])


def _send_end(client: MlflowClient, run_id: str, content: dict[str, Any], _: Path) -> None:
    client.set_terminated(run_id, content["status"], content["end_time"])


_SENDERS: dict[Kind, Callable[[MlflowClient, str, dict[str, Any], Path], None]] = {
    "params": _send_params, "tags": _send_tags, "points": _send_points, "text": _send_text, "file": _send_file,
    "dataset": _send_dataset, "end": _send_end,
}  # fmt: skip
