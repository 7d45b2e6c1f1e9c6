"""What `s2s doctor` finds, how it says it is mended, and that no secret is in it."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flows.diagnosis import machine_findings
from seq2seq_core.cli.main import app
from seq2seq_core.redaction import redactor
from tests.canary import NEEDLES, VARIABLES, find_leaks
from tests.flows.conftest import ToyWorkspace
from tests.http_server import QuietHandler, http_server

HOUR = 3600


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No server of anybody else's; the command on the path; streams, log records and known secrets as before behind the test."""
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    monkeypatch.setattr(machine_findings, "LOW_BYTES", 0)
    monkeypatch.setattr(redactor, "_memory", redactor._Memory())
    before = logging.getLogRecordFactory(), sys.stdout, sys.stderr
    yield
    logging.setLogRecordFactory(before[0])
    sys.stdout, sys.stderr = before[1:]


class _HourBehind(QuietHandler):
    """A server whose clock is wrong."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) - HOUR)

    def do_GET(self) -> None:
        self.answer(200)


def ask(workspace: ToyWorkspace, *options: str) -> Result:
    return CliRunner().invoke(app, ["doctor", "--workspace", str(workspace.root), *options])


def test_what_is_wrong_is_named_with_what_mends_it_and_without_secrets(
    make_workspace: Callable[..., ToyWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_workspace()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(machine_findings, "LOW_BYTES", 2**62)
    workspace.run("dvc", "remote", "add", "-q", "store", f"ssh://key:{NEEDLES[0]}@host/path")
    workspace.run("dvc", "remote", "modify", "-q", "--local", "store", "password", "remoteCanary10")
    (workspace.root / "requirements.lock").write_text("duckdb==0.0.1\ntorch==0.0.1 # old\n")
    (workspace.root / ".s2s" / "params.original.yaml").write_text("{}")
    workspace.set_params(train={"seed": "many", "password": "settingCanary11"})
    with http_server(_HourBehind) as port:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://tracker:addressCanary12@127.0.0.1:{port}")
        monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        text = ask(workspace)
        found: list[dict[str, Any]] = json.loads(ask(workspace, "--json").stdout)
    assert text.exit_code == 1
    assert find_leaks([text.output, json.dumps(found)]) == []
    for secret in ("remoteCanary10", "settingCanary11", "addressCanary12"):
        assert secret not in text.output
    problems = {finding["topic"]: finding for finding in found if finding["verdict"] == "problem"}
    assert {*problems} == {"disk of the workspace", "left behind", "settings", "clock of MLflow", "Prefect", "remotes"}
    assert all(finding["mend"] for finding in problems.values())
    assert "train.seed" in problems["settings"]["text"]
    assert problems["clock of MLflow"]["text"] == "is 1 h 00 min behind this machine's"
    assert problems["remotes"]["mend"] == "pip install dvc-ssh"
    notes = {finding["topic"]: finding["text"] for finding in found if finding["verdict"] == "note"}
    assert notes["duckdb"].endswith("; requirements.lock has 0.0.1")
    credentials = next(finding["text"] for finding in found if finding["topic"] == "credentials")
    assert "MLFLOW_TRACKING_PASSWORD" in credentials
    assert text.stdout.splitlines()[-1] == f"{len(problems)} problems"


def test_a_workspace_without_a_fault_has_no_problem(make_workspace: Callable[..., ToyWorkspace]) -> None:
    done = ask(make_workspace())
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "0 problems"
    assert "Prefect" in done.stdout


def test_files_of_the_graph_that_cannot_be_read_are_problems(make_workspace: Callable[..., ToyWorkspace]) -> None:
    workspace = make_workspace()
    (workspace.root / "dvc.lock").write_text("<<<<<<< HEAD\nschema: '2.0'\n=======\n")
    (workspace.root / "dvc.yaml").write_text("stages: [\n")
    done = ask(workspace)
    assert done.exit_code == 1
    for name in ("dvc.yaml", "dvc.lock"):
        assert f"{name} cannot be read: " in done.output
        assert f"`git checkout {name}` takes the committed one" in done.output
    (workspace.root / "dvc.yaml").write_text("stages:\n  validate: {cmd: s2s validate}\n")
    (workspace.root / "dvc.lock").write_text("schema: '2.0'\nstages:\n  validate: {cmd: s2s validate}\n  train: {cmd: s2s train}\n")
    assert "dvc.yaml lacks the stage train, which has run here: nothing runs it now" in ask(workspace).output


def test_git_that_is_missing_or_refuses_is_a_problem_and_not_a_missing_commit(
    make_workspace: Callable[..., ToyWorkspace], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workspace = make_workspace()

    def about_git() -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(ask(workspace, "--json").stdout)
        return next(finding for finding in found if finding["topic"] == "git")

    head = workspace.root / ".git" / "HEAD"
    kept = head.read_text()
    head.write_text("damaged")
    refused = about_git()
    assert refused["verdict"] == "problem"
    assert refused["text"].startswith("refuses: fatal: ")
    head.write_text("ref: refs/heads/empty\n")
    assert about_git() == {
        "topic": "git", "text": "there is no commit here", "verdict": "note", "mend": "`git add -A && git commit -m start`"
    }  # fmt: skip
    head.write_text(kept)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert about_git()["text"] == "git is not installed; expected it, because every model names the commit that it came from"


def test_settings_that_cannot_be_read_are_one_problem(make_workspace: Callable[..., ToyWorkspace]) -> None:
    workspace = make_workspace()
    for text in ("", "train: ["):
        (workspace.root / "params.yaml").write_text(text)
        done = ask(workspace)
        assert done.stdout.splitlines()[-1] == "1 problem", done.stdout
        assert "1 fault in the parameters" in done.stdout
