"""OpenLineage's events, as a server and the workspace's file receive them."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import ConfigError, Interrupted, UserError
from seq2seq_core.tracking.runs import openlineage_emitter
from seq2seq_core.tracking.runs.openlineage_emitter import announced_run
from seq2seq_core.tracking.session import open_stage_recorder
from tests.http_server import QuietHandler, http_server

GRAPH = """
stages:
  prepare:
    cmd: s2s prepare
    deps: ["${corpus.path}", reports/code/prepare.json]
    outs: [data/prepared]
  tokenize: {cmd: s2s tokenize, deps: [data/prepared, seq2seq_core], outs: [data/tokenized], metrics: [reports/tokenize.json]}
"""
LOCK = """
stages:
  prepare: {cmd: s2s prepare, deps: [{path: data/raw/dates, md5: aaa.dir}], outs: [{path: data/prepared, md5: bbb.dir}]}
"""


@contextmanager
def lineage_server(status: int = 201, gate: threading.Event | None = None) -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    """An address, and the path, the key and the body of each request; with a gate it answers once the gate is open."""
    heard: list[tuple[str, str, Any]] = []

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            heard.append((self.path, self.headers.get("Authorization", ""), json.loads(self.read_body())))
            if gate is not None:
                gate.wait()
            self.answer(status)

    with http_server(Handler) as port:
        yield f"http://127.0.0.1:{port}", heard


def settings_with(url: str) -> Settings:
    return parse_settings(
        {
            "corpus": {"path": "data/raw/dates", "files": {"train": ["train.tsv"]}},
            "register": {"model_name": "dates"},
            "runtime": {"openlineage_url": url},
        },
        "test",
    )


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "params.yaml").write_text("corpus: {path: data/raw/dates}\n")
    return Paths(tmp_path)


def events_in(paths: Paths) -> list[Any]:
    return [json.loads(line) for line in paths.openlineage.read_text(encoding="utf-8").splitlines()]


def test_a_server_and_the_file_are_told_of_begin_and_end_with_what_was_read_and_written(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "k3y-of-marquez")
    monkeypatch.setenv("DVC_STAGE", "tokenize")
    (paths.root / "dvc.lock").write_text(LOCK)
    with lineage_server() as (url, heard):
        for stage in ("prepare", "tokenize"):
            with announced_run(stage, settings_with(url), paths, "flow run 7"):
                pass
    assert {(path, key) for path, key, _ in heard} == {("/api/v1/lineage", "Bearer k3y-of-marquez")}
    events = [body for _, _, body in heard]
    assert events == events_in(paths)
    assert [(event["eventType"], event["job"]["name"]) for event in events] == [
        ("START", "dates.prepare"), ("COMPLETE", "dates.prepare"), ("START", "dates.tokenize"), ("COMPLETE", "dates.tokenize"),
    ]  # fmt: skip
    runs = [event["run"]["runId"] for event in events]
    assert (runs[0], runs[2]) == (runs[1], runs[3])
    assert {uuid.UUID(run).version for run in runs} == {4}
    assert len({event["run"]["facets"]["parent"]["run"]["runId"] for event in events}) == 1

    def datasets(event: Any, kind: str) -> list[tuple[str, str | None]]:
        named = [(one["name"], one["facets"].get("version", {}).get("datasetVersion")) for one in event[kind]]
        return [(Path(name).relative_to(paths.root.resolve()).as_posix(), version) for name, version in named]

    assert datasets(events[1], "inputs") == [("data/raw/dates", "aaa.dir")]
    assert datasets(events[1], "outputs") == [("data/prepared", None)]
    assert datasets(events[3], "inputs") == [("data/prepared", "bbb.dir")]
    assert datasets(events[3], "outputs") == [("data/tokenized", None), ("reports/tokenize.json", None)]
    # What an output of one stage is called is what it is called as the input of the next.
    assert events[1]["outputs"][0]["name"] == events[2]["inputs"][0]["name"]


@pytest.mark.parametrize(("error", "kind"), [(UserError("at http://u:s3cret-w0rd@host/x"), "FAIL"), (Interrupted("stop"), "ABORT")])
def test_a_failure_is_told_with_its_message_and_without_secrets(error: Exception, kind: str, paths: Paths) -> None:
    with lineage_server() as (url, heard), pytest.raises(type(error)), announced_run("prepare", settings_with(url), paths, ""):
        raise error
    last = heard[-1][2]
    assert (last["eventType"], last["run"]["facets"]["errorMessage"]["programmingLanguage"]) == (kind, "Python")
    assert "parent" not in last["run"]["facets"]
    assert "s3cret-w0rd" not in json.dumps(last) + paths.openlineage.read_text(encoding="utf-8")


def test_a_server_that_refuses_or_is_away_costs_one_warning(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    with lineage_server(status=500) as (url, heard):
        for address in (url, "http://127.0.0.1:9/"):
            caplog.clear()
            with caplog.at_level(logging.WARNING), announced_run("prepare", settings_with(address), paths, ""):
                pass
            (message,) = [record.getMessage() for record in caplog.records]
            assert message.startswith("the OpenLineage server at 127.0.0.1 takes no events (")
    assert [event["eventType"] for event in events_in(paths)] == ["START", "COMPLETE"] * 2
    assert len(heard) == 1


def test_a_server_that_never_answers_does_not_hold_a_stage(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()
    with lineage_server(gate=gate) as (url, heard):
        try:
            with caplog.at_level(logging.WARNING), announced_run("prepare", settings_with(url), paths, ""):
                pass
            assert not gate.is_set()  # the stage is over, and no request was answered
            assert [body["eventType"] for _, _, body in heard] == ["START"]
        finally:
            gate.set()
    assert "takes no events (timed out)" in caplog.text


def test_a_lock_file_that_nobody_understands_fails_no_stage(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DVC_STAGE", "prepare")
    (paths.root / "dvc.lock").write_text("stages: {prepare: {outs: [{md5: abc}]}}\n")
    done = []
    with caplog.at_level(logging.WARNING), announced_run("prepare", settings_with(""), paths, ""):
        done.append("prepare")
    assert done == ["prepare"]
    assert "OpenLineage is told nothing of this execution: 'path'" in caplog.text
    assert not paths.openlineage.exists()


def test_the_files_of_events_stay_small_and_the_last_ones_are_kept_whole(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    with announced_run("prepare", settings_with(""), paths, ""):
        pass
    longest = max(map(len, paths.openlineage.read_bytes().splitlines())) + 1
    monkeypatch.setattr(openlineage_emitter, "MAX_BYTES", 3 * longest)

    def announce(_: int) -> None:
        for _ in range(4):
            with announced_run("prepare", settings_with(""), paths, ""):
                pass

    with ThreadPoolExecutor(4) as pool:  # stages that run at once
        list(pool.map(announce, range(4)))
    older = [paths.work / f"openlineage.{number}.jsonl" for number in range(1, openlineage_emitter.OLDER_FILES + 1)]
    files = [*reversed(older), paths.openlineage]
    assert sorted(paths.work.glob("openlineage*.jsonl")) == sorted(files)
    assert all(file.stat().st_size <= 3 * longest for file in files)
    events = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(events) >= 2 * openlineage_emitter.OLDER_FILES
    assert len({(event["run"]["runId"], event["eventType"]) for event in events}) == len(events), "each once"
    assert sorted(map(len, [file.read_text().splitlines() for file in older])) == [3] * len(older), "full ones are full"


def test_every_execution_through_the_recorder_is_told_of(tracked_paths: Paths, tracked_settings: Settings) -> None:
    with open_stage_recorder("evaluate", tracked_settings, tracked_paths):
        pass
    with pytest.raises(UserError), open_stage_recorder("train", tracked_settings, tracked_paths):
        raise UserError("no")
    told = [(event["eventType"], event["job"]["name"]) for event in events_in(tracked_paths)]
    assert told == [("START", "dates.evaluate"), ("COMPLETE", "dates.evaluate"), ("START", "dates.train"), ("FAIL", "dates.train")]


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match=r"OPENLINEAGE_API_KEY, got some for http://host:5000") as caught:
        settings_with("http://user:s3cret@host:5000")
    assert "s3cret" not in str(caught.value)
