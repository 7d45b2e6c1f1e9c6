from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from seq2seq_core.artifacts import Paths
from seq2seq_core.tracking.mlflow import delivery
from seq2seq_core.tracking.mlflow.address import artifact_location
from seq2seq_core.tracking.mlflow.delivery import MOST_TRIES, TOLD_VARIABLE, cancel_ends, connect_and_deliver
from seq2seq_core.tracking.mlflow.outbox import Addressee, Outbox, find_left
from seq2seq_core.tracking.mlflow.records import Record
from seq2seq_core.tracking.mlflow.store import connect

RECORDS = (
    Record("params", {"train.seed": "1"}),
    Record("tags", {"note": "kept"}),
    Record("points", {"points": [["loss", 0.5, 1000, 1], ["loss", 0.25, 2000, 2]]}),
    Record("points", {"points": [["loss", 0.125, 3000, 3]]}),
    Record("text", {"name": "a.md", "text": "a text"}),
    Record("dataset", {"name": "dates/train", "path": "data/raw/dates", "digest": "ab" * 32, "context": "training"}),
    Record("end", {"status": "FINISHED", "end_time": 4000}),
)


@pytest.fixture
def run_id(tracked_paths: Paths) -> str:
    client = connect(tracked_paths)
    return str(client.create_run(client.create_experiment("tried", artifact_location(tracked_paths))).info.run_id)


def leave(paths: Paths, run_id: str, store: str = "sqlite:///mlflow.db", records: tuple[Record, ...] = RECORDS) -> None:
    """Leaves records of a run, as a stage does that MLflow does not answer."""
    outbox = Outbox(paths.mlflow_outbox, Addressee(store, run_id))
    for record in records:
        outbox.add(record)
    outbox.close(is_sent=False)


def state(client: MlflowClient, run_id: str) -> dict[str, Any]:
    run: Any = client.get_run(run_id)
    return {
        "params": run.data.params,
        "note": run.data.tags["note"],
        "loss": [(point.step, point.value, point.timestamp) for point in client.get_metric_history(run_id, "loss")],
        "files": [file.path for file in client.list_artifacts(run_id)],
        "datasets": [json.loads(given.dataset.profile)["digest"] for given in run.inputs.dataset_inputs],
        "end": (run.info.status, run.info.end_time),
    }


def test_everything_that_was_left_arrives_as_it_was_recorded_and_twice_is_as_good_as_once(
    tracked_paths: Paths, run_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        leave(tracked_paths, run_id)
        with caplog.at_level(logging.INFO, "seq2seq_core"):
            client = connect_and_deliver(tracked_paths, 0.0)
        assert state(client, run_id) == {
            "params": {"train.seed": "1"},
            "note": "kept",
            "loss": [(1, 0.5, 1000), (2, 0.25, 2000), (3, 0.125, 3000)],
            "files": ["a.md"],
            "datasets": ["ab" * 32],
            "end": ("FINISHED", 4000),
        }
        assert list(tracked_paths.mlflow_outbox.iterdir()) == []
    name = client.get_run(run_id).info.run_name
    assert caplog.messages[-1] == (
        f"MLflow has what it missed of the run {name}: 1 parameters, 1 tags, 3 points of curves (steps 1 to 3), text a.md, "
        "dataset dates/train, the end of the run (FINISHED)"
    )


def test_what_was_meant_for_another_store_waits_for_it_and_is_named_once(
    tracked_paths: Paths, run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(TOLD_VARIABLE, "")
    leave(tracked_paths, run_id, "http://mlflow:5000")
    for _ in range(2):
        connect_and_deliver(tracked_paths, 0.0)
    (left,) = find_left(tracked_paths.mlflow_outbox)
    assert caplog.messages == [
        "what MLflow at http://mlflow:5000 missed waits until the workspace uses it again (it uses sqlite:///mlflow.db now); "
        f"to drop it, remove: {left.folder}"
    ]


@pytest.mark.parametrize("is_purged", [True, False])
def test_a_run_that_was_deleted_gets_nothing_and_what_it_missed_is_dropped(
    tracked_paths: Paths, run_id: str, is_purged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    gone = "0" * 32 if is_purged else run_id
    connect(tracked_paths).delete_run(run_id)
    leave(tracked_paths, gone, records=RECORDS[:2])
    connect_and_deliver(tracked_paths, 0.0)
    assert caplog.messages == [f"MLflow has no run {gone} any more; dropped: 1 parameters, 1 tags"]
    assert list(tracked_paths.mlflow_outbox.iterdir()) == []


def test_a_store_that_is_lost_again_gets_the_rest_later_and_a_rejected_record_holds_nothing_up(
    tracked_paths: Paths, run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def lost(*arguments: object, **options: object) -> None:
        raise ConnectionError("[Errno 111] Connection refused")

    connect(tracked_paths).log_param(run_id, "train.seed", "2")
    leave(tracked_paths, run_id)
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_text", lost)
        broken.setattr(delivery, "is_answering", lambda client: False)
        connect_and_deliver(tracked_paths, 0.0)
    refused, kept = caplog.messages
    assert refused.startswith("MLflow did not take 1 parameters: Changing param values is not allowed.")
    assert kept == "MLflow does not take what it missed ([Errno 111] Connection refused); it follows with the next run"
    client = connect_and_deliver(tracked_paths, 0.0)
    assert state(client, run_id)["files"] == ["a.md"]
    assert list(tracked_paths.mlflow_outbox.iterdir()) == []


def refuse(*arguments: object, **options: object) -> None:
    """Answers for a store whose disk is full."""
    raise MlflowException("API request to http://mlflow failed with exception (too many 500 error responses)")


def test_a_record_that_an_answering_store_does_not_take_holds_up_neither_its_run_nor_the_next(
    tracked_paths: Paths, run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(tracked_paths)
    other = str(client.create_run(client.get_run(run_id).info.experiment_id).info.run_id)
    leave(tracked_paths, run_id)
    leave(tracked_paths, other)
    monkeypatch.setattr(MlflowClient, "log_text", refuse)
    connect_and_deliver(tracked_paths, 0.0)
    for one in (run_id, other):
        assert client.get_run(one).info.status == "FINISHED"
        assert len(client.get_metric_history(one, "loss")) == 3
    assert [[record.kind for record in left.records] for left in find_left(tracked_paths.mlflow_outbox)] == [["text"], ["text"]]
    assert len(caplog.messages) == 2
    connect_and_deliver(tracked_paths, 0.0)
    assert len(caplog.messages) == 2, "the next stage of the same run does not try again"

    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.0)
    for _ in range(MOST_TRIES - 1):
        connect_and_deliver(tracked_paths, 0.0)
    name = str(client.get_run(run_id).info.run_name)
    (last,) = [message for message in caplog.messages if message.endswith("dropped") and name in message]
    assert last.startswith(f"MLflow has not taken text a.md of the run {name} in {MOST_TRIES} tries (")
    assert list(tracked_paths.mlflow_outbox.iterdir()) == []


def test_a_record_that_was_not_taken_arrives_once_the_store_takes_it(
    tracked_paths: Paths, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tracked_paths, run_id)
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_text", refuse)
        connect_and_deliver(tracked_paths, 0.0)
    monkeypatch.setattr(delivery, "RETRY_SECONDS", 0.0)
    client = connect_and_deliver(tracked_paths, 0.0)
    assert state(client, run_id)["files"] == ["a.md"]
    assert list(tracked_paths.mlflow_outbox.iterdir()) == []


@pytest.mark.parametrize(("old_end", "status"), [(1500, "FINISHED"), (2500, "KILLED")])
def test_an_old_end_does_not_change_a_run_that_went_on_and_ended_later(
    tracked_paths: Paths, run_id: str, old_end: int, status: str
) -> None:
    client = connect(tracked_paths)
    client.set_terminated(run_id, "FINISHED", 2000)
    leave(tracked_paths, run_id, records=(Record("end", {"status": "KILLED", "end_time": old_end}),))
    connect_and_deliver(tracked_paths, 0.0)
    assert client.get_run(run_id).info.status == status
    assert list(tracked_paths.mlflow_outbox.iterdir()) == []


def test_the_unsent_end_of_a_run_that_goes_on_is_over(tracked_paths: Paths, run_id: str) -> None:
    leave(tracked_paths, run_id)
    leave(tracked_paths, "another")
    cancel_ends(run_id, tracked_paths)
    kinds = {left.addressee.run_id: left.records[-1].kind for left in find_left(tracked_paths.mlflow_outbox) if left.addressee}
    assert kinds == {run_id: "dataset", "another": "end"}
