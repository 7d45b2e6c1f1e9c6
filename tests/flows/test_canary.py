"""Failed runs leave no secret: in Prefect's database, in what a webhook is told, in the workspace and on the console."""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.dvc.command import Dvc
from flows.dvc.git_command import GitRefused, git
from flows.graph.stage_execution import StageRunner
from flows.graph.stage_failure import StageFailed
from flows.processes.supervised import SupervisedProcess
from flows.reports.summary import RetrainSummary
from flows.reports.webhook import notify
from flows.retraining import Retraining
from flows.server.local_server import log_output
from flows.server.redacted_reports import redact_request
from seq2seq_core.config.runtime import NotifySettings
from seq2seq_core.errors import UserError
from seq2seq_core.redaction import redactor
from seq2seq_core.redaction.redactor import redact
from tests.canary import NEEDLES, SAID, VARIABLES, WEBHOOK_PATH, find_leaks

from .conftest import ToyWorkspace
from .waiting import wait_until
from .webhook_server import webhook_server

MARK = "mark-of-the-canary"
KEPT = {
    "log": "message", "flow_run_state": "message", "task_run_state": "message", "artifact": "data", "events": "payload",
}  # fmt: skip
"""Where Prefect's server keeps texts, by table."""


@pytest.fixture(autouse=True)
def canaries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment holds every secret; streams and log records are as before behind the test."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(redactor, "_memory", redactor._Memory())
    before = logging.getLogRecordFactory(), sys.stdout, sys.stderr
    yield
    logging.setLogRecordFactory(before[0])
    sys.stdout, sys.stderr = before[1:]


@pytest.fixture
def refusing_webhook() -> Iterator[tuple[str, list[Any]]]:
    """The address of a webhook that refuses everything, and the bodies that it was sent."""
    with webhook_server() as (url, heard):
        yield f"{url}/no{WEBHOOK_PATH}", heard


def copy_database(target: Path) -> Path:
    """A copy of the database of the tests' Prefect server, with all that it has committed."""
    from prefect.settings import get_current_settings

    address = get_current_settings().server.database.connection_url
    assert address is not None
    target.unlink(missing_ok=True)
    source = address.get_secret_value().removeprefix("sqlite+aiosqlite:///")
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
    return target


def places_with(mark: str, database: Path) -> list[str]:
    """The tables that hold a text."""
    with closing(sqlite3.connect(database)) as connection:
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table} WHERE {column} LIKE ?", (f"%{mark}%",)).fetchone()[0]
            for table, column in KEPT.items()
        }
    return [table for table, count in counts.items() if count]


def is_everywhere(mark: str, database: Path) -> bool:
    return places_with(mark, copy_database(database)) == list(KEPT)


def test_failed_runs_leave_no_secret_in_prefect_on_the_webhook_and_on_the_console(
    make_workspace: Callable[..., ToyWorkspace],
    retrain: Callable[..., RetrainSummary],
    refusing_webhook: tuple[str, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    address, heard = refusing_webhook
    workspace = make_workspace({"prepare": ()})
    workspace.set_flow(notify={"webhook_url": address})
    workspace.behave("prepare", f"tell_environment:{MARK}1")
    summary = retrain(workspace)
    assert summary.failure is not None

    def fail(*_: object) -> None:
        raise StageFailed("prepare", f"{MARK}2 {SAID}", "user_fault", 2, retryable=False)

    with monkeypatch.context() as broken:
        broken.setattr(StageRunner, "run", fail)
        retrain(workspace)

    def crash(_: Retraining) -> None:
        try:
            raise ConnectionError(SAID)
        except ConnectionError as error:
            raise RuntimeError(f"{MARK}3 {SAID}") from error

    monkeypatch.setattr(Retraining, "run", crash)
    with pytest.raises(RuntimeError, match=f"^{MARK}3"):
        retrain(workspace)
    database = tmp_path / "prefect.db"
    for mark in (f"{MARK}1", f"{MARK}2"):
        wait_until(partial(is_everywhere, mark, database), f"{mark} in each of {list(KEPT)}")
    wait_until(lambda: {"log", "flow_run_state"} <= {*places_with(f"{MARK}3", copy_database(database))}, "the crash")
    bodies = [json.dumps(body, ensure_ascii=False) for body in heard]
    assert [f"{MARK}{number}" in body for number, body in enumerate(bodies, start=1)] == [True, True, True]
    assert caplog.text.count("the webhook at 127.0.0.1 could not be told of the failure: it answered 403 no ***") == 3
    assert f"RuntimeError: {MARK}3" in caplog.text
    assert find_leaks([caplog.text, summary.describe(), *bodies], workspace.root, database) == []


def test_an_unreachable_webhook_is_named_without_its_path(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2seq_core.console import configure_logging
    from seq2seq_core.redaction.text_exits import install_redaction

    install_redaction()
    configure_logging()
    logger = logging.getLogger("flows.reports.webhook")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("http_proxy", "http://proxy:proxyCanary7@127.0.0.1:9")
    places = (f"127.0.0.1:9{WEBHOOK_PATH}", f"me:prefectCanary5@127.0.0.1:9{WEBHOOK_PATH}", f"hooks.invalid{WEBHOOK_PATH}")
    for address in (f"http://{place}" for place in places):
        told = notify(NotifySettings(webhook_url=address), RetrainSummary(failure=UserError(SAID)), {"name": "a run"}, logger)
        assert told == []
    said = capfd.readouterr().err
    assert said.count("the webhook at 127.0.0.1 could not be told of the failure: ConnectError") == 2
    assert "the webhook at hooks.invalid (through the proxy of http_proxy; " in said
    assert find_leaks([said]) == []


def test_the_output_of_dvc_git_and_servers_holds_no_secret(make_workspace: Callable[..., ToyWorkspace], tmp_path: Path) -> None:
    workspace = make_workspace({"prepare": ()})
    own = "dvcCanary10"
    workspace.run("dvc", "remote", "add", "store", f"https://me:{own}@127.0.0.1:9/x")
    workspace.run("dvc", "remote", "modify", "--local", "store", "password", f"{own}-local")
    lines: list[str] = []
    result = Dvc(workspace.root).run(["remote", "list"], lines.append)
    assert lines == list(result.lines) == ["store   https://***@127.0.0.1:9/x"]
    assert redact(f"{own} {own}-local") == "*** ***"
    with pytest.raises(GitRefused) as caught:
        git(workspace.root, "ls-remote", f"https://me:{own}@127.0.0.1:9/x.git")
    assert own not in redact(str(caught.value))
    log = tmp_path / "server.log"
    server = SupervisedProcess([sys.executable, "-c", f"print({SAID!r})"], tmp_path, {}, 1.0)
    log_output(server, log).join()
    server.wait()
    assert "***" in log.read_text()
    assert find_leaks([], log) == []


def test_a_request_that_has_to_hold_a_secret_keeps_it() -> None:
    body = {"name": "hook", "data": {"url": VARIABLES["S2S_WEBHOOK_URL"]}}
    block = httpx.Request("POST", "http://prefect.invalid/api/block_documents/", json=body)
    assert redact_request(block) is block
    state = httpx.Request("POST", "http://prefect.invalid/api/flow_runs/1/set_state", json={"message": SAID, "n": 1})
    sent = redact_request(state)
    assert find_leaks([sent.content.decode()]) == []
    assert sent.headers["content-length"] == str(len(sent.content))
    assert len(find_leaks([state.content.decode()])) >= len(NEEDLES) - 1
