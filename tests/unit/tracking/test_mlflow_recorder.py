from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from seq2seq_core.artifacts import Paths
from seq2seq_core.tracking.mlflow.address import artifact_location
from seq2seq_core.tracking.mlflow.curve_journal import CurveJournal
from seq2seq_core.tracking.mlflow.mlflow_recorder import MlflowRecorder
from seq2seq_core.tracking.mlflow.outbox import Addressee, Outbox, find_left
from seq2seq_core.tracking.mlflow.store import connect


def make_outbox(folder: Path) -> Outbox:
    return Outbox(folder / "outbox", Addressee("sqlite:///mlflow.db", "run"))


class Run:
    """A run in a store, and how it looks there."""

    def __init__(self, client: MlflowClient, paths: Paths) -> None:
        self.client = client
        experiment = client.create_experiment("tried", artifact_location(paths))
        self.id: str = client.create_run(experiment).info.run_id

    @property
    def stored(self) -> Any:
        return self.client.get_run(self.id)

    def curve(self, name: str) -> list[tuple[int, float]]:
        return [(point.step, point.value) for point in self.client.get_metric_history(self.id, name)]

    def artifact(self, name: str) -> Path:
        return Path(self.client.download_artifacts(self.id, name))


@pytest.fixture
def run(tracked_paths: Paths) -> Run:
    return Run(connect(tracked_paths), tracked_paths)


@pytest.fixture
def recorder(run: Run, tmp_path: Path) -> Iterator[MlflowRecorder]:
    recorder = MlflowRecorder(run.client, run.id, make_outbox(tmp_path))
    yield recorder
    recorder.close()


def test_curves_keep_every_step_and_final_values_stand_at_step_zero(run: Run, recorder: MlflowRecorder) -> None:
    for step in range(2500):
        recorder.log_metrics({"loss": 1.0 / (step + 1), "rate": 0.5}, step)
    recorder.log_metrics({"final": 0.25})
    recorder.flush()
    assert run.curve("loss") == [(step, 1.0 / (step + 1)) for step in range(2500)]
    assert len(run.curve("rate")) == 2500
    assert run.curve("final") == [(0, 0.25)]


def test_a_value_that_is_no_number_does_not_stop_the_others(run: Run, recorder: MlflowRecorder) -> None:
    recorder.log_metrics({"loss": math.nan, "norm": math.inf, "rate": 0.5}, 1)
    recorder.flush()
    assert run.curve("rate") == [(1, 0.5)]
    assert math.isnan(run.curve("loss")[0][1])


def test_more_parameters_and_tags_than_one_request_holds_all_arrive(run: Run, recorder: MlflowRecorder) -> None:
    recorder.log_params({f"section.p{number}": number for number in range(250)})
    recorder.set_tags({f"tag{number}": "x" for number in range(150)})
    recorder.flush()
    assert len(run.stored.data.params) == 250
    assert {f"tag{number}" for number in range(150)} <= run.stored.data.tags.keys()


def test_a_name_with_characters_that_mlflow_refuses_is_cleaned(run: Run, recorder: MlflowRecorder) -> None:
    recorder.log_metrics({"test.bleu (lang=fr, süß)": 1.0})
    recorder.flush()
    assert list(run.stored.data.metrics) == ["test.bleu _lang_fr_ süß_"]


def test_a_file_is_stored_although_the_caller_removes_it_at_once(run: Run, recorder: MlflowRecorder, tmp_path: Path) -> None:
    file, folder = tmp_path / "plot.txt", tmp_path / "docs"
    file.write_text("a plot")
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "page.html").write_text("a page")
    recorder.log_file(file, "plots")
    recorder.log_file(file)
    recorder.log_file(folder, "reports")
    file.unlink()
    (folder / "inner" / "page.html").unlink()
    recorder.log_text("some text", "tables/worst.md")
    recorder.flush()
    assert run.artifact("plots/plot.txt").read_text() == run.artifact("plot.txt").read_text() == "a plot"
    assert MlflowRecorder.keeps_files
    assert run.artifact("reports/docs/inner/page.html").read_text() == "a page"
    assert run.artifact("tables/worst.md").read_text() == "some text"


def test_a_file_that_is_not_there_is_a_warning(recorder: MlflowRecorder, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorder.log_file(tmp_path / "missing.txt")
    assert caplog.messages == [
        f"{tmp_path}/missing.txt is not logged to MLflow: [Errno 2] No such file or directory: '{tmp_path}/missing.txt'"
    ]


def test_a_dataset_is_an_input_of_the_run_with_its_role_and_whole_digest(run: Run, recorder: MlflowRecorder) -> None:
    recorder.log_dataset(Path("data/raw/dates"), "dates/train", "ab" * 32, "training")
    recorder.flush()
    (given,) = run.stored.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("dates/train", ("ab" * 32)[:36])
    assert json.loads(given.dataset.source) == {"uri": "data/raw/dates"}
    assert json.loads(given.dataset.profile) == {"digest": "ab" * 32}
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]


def test_a_refused_record_is_a_warning_and_the_rest_arrives(
    run: Run, recorder: MlflowRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.log_params({"train.seed": 1})
    recorder.log_params({"train.seed": 2})
    recorder.log_metrics({"loss": 1.0}, 1)
    recorder.flush()
    assert run.stored.data.params == {"train.seed": "1"}
    assert run.curve("loss") == [(1, 1.0)]
    (message,) = caplog.messages
    assert message.startswith("MLflow did not take 1 parameters: Changing param values is not allowed.")


def test_steps_that_an_earlier_process_recorded_are_not_logged_twice(run: Run, tmp_path: Path) -> None:
    for steps in (range(5), range(3, 8)):
        recorder = MlflowRecorder(run.client, run.id, make_outbox(tmp_path), CurveJournal(tmp_path / "points.jsonl"))
        for step in steps:
            recorder.log_metrics({"loss": float(step)}, step)
        recorder.close()
    assert run.curve("loss") == [(step, float(step)) for step in range(8)]


class LostServer:
    """A client whose server does not answer any more."""

    def log_batch(self, run_id: str, **what: object) -> None:
        raise ConnectionError("[Errno 111] Connection refused")

    log_text = log_batch


def test_what_a_lost_server_never_got_is_named_at_the_end_and_kept_on_the_disk(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    recorder = MlflowRecorder(LostServer(), "run", make_outbox(tmp_path), patience_seconds=0.2, retry_seconds=0.01)  # type: ignore[arg-type]
    recorder.set_tags({"a": "b"})
    for step in range(3, 9):
        recorder.log_metrics({"loss": 1.0}, step)
    recorder.log_text("text", "a.md")
    recorder.log_text("text", "a.md")
    with caplog.at_level(logging.WARNING, "seq2seq_core"):
        missing = recorder.close()
    assert missing == ["1 tags", "6 points of curves (steps 3 to 8)", "text a.md", "text a.md"]
    assert caplog.messages == [
        "MLflow does not take records ([Errno 111] Connection refused); the stage goes on and keeps them until it does",
        "MLflow has not taken everything; what it misses follows with the next run: 1 tags, "
        "6 points of curves (steps 3 to 8), 2 x text a.md",
    ]
    (left,) = find_left(tmp_path / "outbox")
    assert [record.kind for record in left.records] == ["tags", *["points"] * 6, "text", "text"]
