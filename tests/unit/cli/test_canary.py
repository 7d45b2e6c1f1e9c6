"""Failed commands of each kind leave no secret: on the console, in the workspace, in MLflow's database and artifacts."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import main
from seq2seq_core.config.yaml_text import write_inline
from seq2seq_core.outcome import read_outcome
from seq2seq_core.redaction.redactor import Redactor
from seq2seq_core.redaction.text_exits import RedactingStream
from seq2seq_core.stage_table import Stage
from seq2seq_core.tracking.mlflow.mlflow_recorder import MlflowRecorder
from seq2seq_core.tracking.mlflow.outbox import Addressee, Outbox
from tests.canary import NEEDLES, SAID, SLASHED, VARIABLES, WEBHOOK_PATH, find_leaks
from tests.http_server import QuietHandler, http_server

SETTINGS: dict[str, dict[str, object]] = {
    "corpus": {"path": "data/raw/dates", "files": {"train": ["train.tsv"]}},
    "register": {"model_name": "dates"},
    "runtime": {"tracking_wait_seconds": 0.0},
}
ADDRESSES = {
    "refused": f"http://user:{quote(SLASHED, safe='')}@127.0.0.1:9",
    "another scheme": f"foo://user:{SLASHED}@h",
    "no scheme": f"user:{SLASHED}@h",
    "wrong port": f"http://user:{quote(SLASHED, safe='')}@h:99999",
    "password as a port": f"http://user:{SLASHED}",
    "password with slash and at": f"http://user:{SLASHED}@127.0.0.1:9",
    "database": f"postgresql://user:{quote(SLASHED, safe='')}@127.0.0.1:9/runs",
}
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def workspace(tracked_paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    """A workspace, in an environment with every secret."""
    for name, value in {**VARIABLES, "NO_PROXY": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    (tracked_paths.root / "dvc.yaml").write_text("stages: {}\n")
    write_settings(tracked_paths, {})
    before = logging.getLogRecordFactory(), sys.stdout, sys.stderr
    yield tracked_paths
    logging.setLogRecordFactory(before[0])
    sys.stdout, sys.stderr = before[1:]


@pytest.fixture
def command(workspace: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``s2s`` in this process; gives its exit code and all that it said."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["s2s", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return run


@pytest.fixture
def dying_mlflow() -> Iterator[int]:
    """The port of a server that tells its version, and ends at the next request."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            if self.path == "/version":
                self.answer(200)
            else:
                self.connection.close()

        do_POST = do_GET

    with http_server(Handler) as port:
        yield port


def write_settings(paths: Paths, runtime: dict[str, object]) -> None:
    values = {**SETTINGS, "runtime": {**SETTINGS["runtime"], **runtime}}
    paths.params.write_text(write_inline(values) + "\n")


def crash(*_: object) -> None:
    """What a library raises of an error of another one, with every secret in both."""
    try:
        raise ConnectionError(SAID)
    except ConnectionError as error:
        raise MlflowException(f"API request failed with {SAID}") from error


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("options", [(), ("--debug", "--verbose")], ids=["plain", "debug"])
def test_an_address_with_a_password_leaves_none(
    kind: str, options: tuple[str, ...], workspace: Paths, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ADDRESSES[kind])
    code, said = command("validate", "-C", str(workspace.root), *options)
    assert code == 2
    assert find_leaks([said], workspace.root) == []
    assert ("p4ss" in said, "Traceback" in said) == (False, bool(options)), said
    outcome = read_outcome(workspace.outcomes, "validate")
    assert outcome is not None
    assert outcome.message.splitlines()[0] in said


@pytest.mark.parametrize("setting", [{"tracking_uri": f"foo://user:{SLASHED}@h"}, {"tracking_uri": f"user:{SLASHED}@h"}])
def test_a_password_in_the_settings_is_refused_without_it(setting: dict[str, object], workspace: Paths, command: Command) -> None:
    write_settings(workspace, setting)
    code, said = command("check-settings", "-C", str(workspace.root))
    assert code == 2
    assert find_leaks([said], workspace.root) == []


@pytest.mark.parametrize("name", ["webhook_url", "webhookurl", "adress"])
def test_a_wrong_webhook_in_the_settings_is_named_without_its_path(name: str, workspace: Paths, command: Command) -> None:
    write_settings(workspace, {"flow": {"notify": {name: f"htps://hooks.invalid{WEBHOOK_PATH}"}}})
    for arguments in (("check-settings",), ("validate",), ("validate", "--debug")):
        code, said = command(*arguments, "-C", str(workspace.root))
        assert code == 2
        assert f"runtime.flow.notify.{name}: must be " in said
        assert find_leaks([said], workspace.root) == []


def test_an_mlflow_that_dies_between_two_requests_leaves_no_password(
    workspace: Paths, command: Command, dying_mlflow: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:{quote(SLASHED, safe='')}@127.0.0.1:{dying_mlflow}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    code, said = command("validate", "-C", str(workspace.root), "--debug")
    assert code == 2
    assert said.count("Traceback") > 2, "errors of several libraries, chained"
    assert "API request to http" in said
    assert find_leaks([said], workspace.root) == []


@pytest.mark.parametrize("options", [(), ("--debug",)], ids=["plain", "debug"])
def test_a_crash_leaves_no_secret_on_the_console_in_its_file_and_in_mlflow(
    options: tuple[str, ...], workspace: Paths, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stage, "load_function", lambda _: crash)
    code, said = command("validate", "-C", str(workspace.root), *options)
    assert code == 1
    assert find_leaks([said], workspace.root) == []
    assert (workspace.logs / "crash.txt").read_text().count("Traceback") == 2
    assert b"API request failed with tracker ***" in workspace.mlflow_database.read_bytes(), "the tag of the failed run"


def test_the_same_crash_without_redaction_leaves_every_secret_in_each_place(
    workspace: Paths, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redactor, "redact", lambda self, text: text)
    monkeypatch.setattr(Stage, "load_function", lambda _: crash)
    _, said = command("validate", "-C", str(workspace.root))
    for place in (workspace.logs / "crash.txt", workspace.outcomes / "validate.json", workspace.mlflow_database):
        assert len(find_leaks([], place)) >= len(NEEDLES), place
    assert len(find_leaks([said])) >= len(NEEDLES)


def test_what_a_stage_records_leaves_no_secret_in_mlflow(
    workspace: Paths, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record(settings: object, paths: Paths, recorder: object) -> None:
        recorder.log_params({"note": SAID[:400], "json": json.dumps(VARIABLES)})  # type: ignore[attr-defined]
        recorder.set_tags({"note": SAID})  # type: ignore[attr-defined]
        recorder.log_text(SAID, "said.txt")  # type: ignore[attr-defined]

    monkeypatch.setattr(Stage, "load_function", lambda _: record)
    code, said = command("validate", "-C", str(workspace.root))
    assert code == 0, said
    assert find_leaks([said], workspace.root) == []
    assert "***" in next(workspace.mlflow_artifacts.rglob("said.txt")).read_text()


def test_records_that_wait_for_an_mlflow_that_is_away_hold_no_secret(workspace: Paths) -> None:
    class Away(MlflowClient):
        def log_batch(self, *_: object, **__: object) -> None:
            raise ConnectionError("away")

    recorder = MlflowRecorder(Away(), "run", Outbox(workspace.mlflow_outbox, Addressee("store", "run")), patience_seconds=0.0)
    recorder.set_tags({"failure": SAID})
    assert recorder.close() == ["1 tags"]
    (left,) = workspace.mlflow_outbox.rglob("records.jsonl")
    assert "***" in left.read_text()
    assert find_leaks([], left) == []


def test_typers_own_errors_and_the_reference_of_settings_hold_no_secret(command: Command) -> None:
    for arguments in (("ui", "--mlflow-port", SAID), ("settings", SAID), ("configure", SAID), ("predict", "--model", SAID)):
        code, said = command(*arguments)
        assert code == 2
        assert find_leaks([said]) == []
    code, said = command("settings")
    assert code == 0
    assert "http://host:5000" in said
    assert find_leaks([said]) == []


def test_predictions_are_data_and_stay_as_they_are(
    workspace: Paths, command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from seq2seq_core.cli.line_streams import open_targets

    assert command("settings", "train.seed")[0] == 0
    assert isinstance(sys.stdout, RedactingStream)
    monkeypatch.setattr(sys.stdout.stream, "reconfigure", lambda **_: None, raising=False)
    with open_targets(None) as write:
        write("write to me:pw@example.org\n")
    assert capsys.readouterr().out == "write to me:pw@example.org\n"
