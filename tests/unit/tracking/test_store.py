from __future__ import annotations

import logging
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flows.server.local_server import free_port
from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import StorageFault, TrackingUnreachable, UserError
from seq2seq_core.tracking.mlflow.address import artifact_location, displayed_uri, tracking_uri
from seq2seq_core.tracking.mlflow.library_loading import prepare_environment
from seq2seq_core.tracking.mlflow.store import connect, store_errors
from tests.http_server import QuietHandler, http_server

ADVICE = (
    "expected a running MLflow tracking server there "
    "(runtime.tracking_uri or MLFLOW_TRACKING_URI names another; without either it is the workspace's own sqlite:///mlflow.db)"
)


def test_the_default_store_is_a_file_in_the_workspace_whatever_the_current_directory(
    tmp_path: Path, no_outer_run: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths(tmp_path / "work space")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert tracking_uri(paths) == f"sqlite:///{tmp_path}/work space/mlflow.db"
    assert displayed_uri(paths) == "sqlite:///mlflow.db"
    assert artifact_location(paths) == f"file://{tmp_path}/work%20space/mlartifacts"


@pytest.mark.parametrize(
    ("configured", "used", "displayed"),
    [
        ("sqlite:///runs/mlflow.db", "sqlite:///{root}/runs/mlflow.db", "sqlite:///runs/mlflow.db"),
        ("sqlite:///{root}/mlflow.db", "sqlite:///{root}/mlflow.db", "sqlite:///mlflow.db"),
        ("sqlite:////elsewhere/mlflow.db", "sqlite:////elsewhere/mlflow.db", "sqlite:////elsewhere/mlflow.db"),
        ("SQLITE:///runs/mlflow.db", "sqlite:///{root}/runs/mlflow.db", "sqlite:///runs/mlflow.db"),
        ("sqlite+pysqlite:///mlflow.db", "sqlite:///{root}/mlflow.db", "sqlite:///mlflow.db"),
        ("POSTGRESQL://db/mlflow", "postgresql://db/mlflow", "postgresql://db/mlflow"),
        ("http://host:5000", "http://host:5000", "http://host:5000"),
        ("https://me:secret@host", "https://me:secret@host", "https://host"),
        ("postgresql://me:sec/ret@host/db?password=x", "postgresql://me:sec/ret@host/db?password=x", "postgresql://host/db"),
    ],
)
def test_an_address_is_shown_without_credentials_and_a_relative_file_counts_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: str, used: str, displayed: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", configured.format(root=tmp_path))
    assert tracking_uri(Paths(tmp_path)) == used.format(root=tmp_path)
    assert displayed_uri(Paths(tmp_path)) == displayed


def test_the_users_own_environment_wins_and_telemetry_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.delenv(name, raising=False)
    prepare_environment()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == os.environ["DO_NOT_TRACK"] == "true"


def test_connecting_leaves_no_address_in_the_environment_of_child_processes(tracked_paths: Paths) -> None:
    connect(tracked_paths)
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_failing_to_connect_leaves_no_address_either(tmp_path: Path, no_outer_run: None) -> None:
    (tmp_path / "mlflow.db").write_text("no database, but long enough to be read as one" * 100)
    with pytest.raises(UserError):
        connect(Paths(tmp_path))
    (tmp_path / "mlflow.db").unlink()
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(StorageFault):
        connect(Paths(tmp_path))
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_two_workspaces_in_one_process_keep_their_own_stores(tracked_paths: Paths, tmp_path: Path) -> None:
    other = Paths(tmp_path / "other")
    other.root.mkdir()
    shutil.copy(tracked_paths.mlflow_database, other.mlflow_database)
    connect(tracked_paths).create_experiment("first")
    assert connect(other).get_experiment_by_name("first") is None


def test_a_refused_connection_is_named_with_address_reason_and_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}")
    expected = f"MLflow does not answer at http://127.0.0.1:{port}: [Errno 111] Connection refused; {ADVICE}"
    with pytest.raises(TrackingUnreachable, match=f"^{re.escape(expected)}$"):
        connect(Paths(tmp_path))


def test_an_unreachable_database_server_is_named_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql+psycopg2://me:secret@127.0.0.1:{port}/mlflow")
    expected = f"MLflow does not answer at postgresql+psycopg2://127.0.0.1:{port}/mlflow: [Errno 111] Connection refused; {ADVICE}"
    with pytest.raises(TrackingUnreachable, match=f"^{re.escape(expected)}$"):
        connect(Paths(tmp_path))


@pytest.fixture(params=[404])
def foreign_server(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of an HTTP server that answers every request with the same error, by default 404 as no MLflow does."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self.send_error(request.param)

    with http_server(Handler) as port:
        yield port


def test_a_server_that_is_no_mlflow_is_named_with_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign_server: int
) -> None:
    address = f"http://127.0.0.1:{foreign_server}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    reason = "it answers the request /version with HTTP status 404, as another program or a proxy would"
    expected = f"MLflow does not answer at {address}: {reason}; {ADVICE}"
    with pytest.raises(TrackingUnreachable, match=f"^{re.escape(expected)}$"):
        connect(Paths(tmp_path))


@pytest.mark.parametrize(
    ("foreign_server", "user", "lack"),
    [(401, "", "wants credentials (HTTP status 401)"), (403, "me", "rejects the credentials (HTTP status 403)")],
    indirect=["foreign_server"],
)
def test_missing_credentials_are_the_users_fault_and_say_where_they_belong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign_server: int, user: str, lack: str
) -> None:
    address = f"http://127.0.0.1:{foreign_server}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    for name, value in (("USERNAME", user), ("PASSWORD", user and "hunter2")):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    where = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    with pytest.raises(UserError, match=f"^{re.escape(f'MLflow at {address} {lack}; expected them in {where}')}$"):
        connect(Paths(tmp_path))


def test_a_server_without_tls_at_a_https_address_is_named_with_the_likely_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign_server: int
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"https://127.0.0.1:{foreign_server}")
    expected = f"it does not speak TLS (perhaps http://127.0.0.1:{foreign_server}); expected"
    with pytest.raises(TrackingUnreachable, match=re.escape(expected)):
        connect(Paths(tmp_path))


def test_a_locked_database_is_called_so_and_waited_for(tracked_paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_core.tracking.mlflow.relocation.BUSY_SECONDS", 0.1)
    expected = (
        "MLflow's database sqlite:///mlflow.db is locked, because another process is writing to it; expected it to be free within "
        "seconds: end what holds it open (a database browser, a stopped process), or keep the runs on an MLflow server"
    )
    with closing(sqlite3.connect(tracked_paths.mlflow_database, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(match=f"^{re.escape(expected)}$"):
            connect(tracked_paths)
        pauses: list[float] = []

        def free(seconds: float) -> None:
            pauses.append(seconds)
            other.rollback()

        monkeypatch.setattr("seq2seq_core.tracking.mlflow.patience.sleep", free)
        connect(tracked_paths, wait_seconds=60.0)
    assert pauses == [1.0]


def test_a_database_of_another_mlflow_version_is_named_with_the_command_that_upgrades_it(tracked_paths: Paths) -> None:
    with closing(sqlite3.connect(tracked_paths.mlflow_database)) as database:
        database.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
        database.commit()
    expected = (
        "MLflow's database sqlite:///mlflow.db is of another MLflow version; expected this version's schema: "
        "back the file up, then run: mlflow db upgrade sqlite:///mlflow.db"
    )
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        connect(tracked_paths)


def test_a_file_that_is_no_database_is_named(tmp_path: Path, no_outer_run: None) -> None:
    paths = Paths(tmp_path)
    paths.mlflow_database.write_text("not a database, but long enough to be read as one" * 100)
    expected = "sqlite:///mlflow.db is not a SQLite database; expected MLflow's database there: move that file away"
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        connect(paths)


def test_a_database_that_cannot_be_opened_is_a_fault_of_the_storage(tracked_paths: Paths) -> None:
    from sqlalchemy.exc import OperationalError

    expected = (
        "MLflow's database sqlite:///mlflow.db: (builtins.Exception) attempt to write a readonly database; "
        "expected a file that this user may write, on a disk with room"
    )
    with pytest.raises(StorageFault, match=f"^{re.escape(expected)}$"), store_errors(tracked_paths):
        raise OperationalError(None, None, Exception("attempt to write a readonly database"))


def test_a_fault_of_the_program_stays_one(tracked_paths: Paths) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=r"^a bug$"), store_errors(tracked_paths):
        raise MlflowException("a bug")


def test_a_missing_database_driver_is_named(tracked_paths: Paths) -> None:
    expected = "MLflow needs a package for sqlite:///mlflow.db that is not installed: psycopg2"
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"), store_errors(tracked_paths):
        raise ModuleNotFoundError("No module named 'psycopg2'", name="psycopg2")


@pytest.mark.proof
@pytest.mark.slow
def test_two_stages_that_start_at_once_on_no_database_both_get_it(tmp_path: Path, no_outer_run: None) -> None:
    code = (
        "import logging, sys; logging.basicConfig(level=logging.INFO, format='%(message)s'); from pathlib import Path\n"
        "from seq2seq_core.artifacts import Paths; from seq2seq_core.tracking.mlflow.store import connect\n"
        "connect(Paths(Path(sys.argv[1]))); print('connected')"
    )
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, str(tmp_path)]
    stages = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    results = [stage.communicate(timeout=300) for stage in stages]
    assert [out for out, _ in results] == ["connected\n"] * 2, results
    said = "".join(err for _, err in results)
    assert said == "creating MLflow's database sqlite:///mlflow.db (once; takes several seconds)\n"


def test_a_new_database_is_announced(tmp_path: Path, no_outer_run: None, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "mlflow.db").mkdir()  # stands in the way, so that nothing is migrated here
    with caplog.at_level(logging.INFO, "seq2seq_core"), pytest.raises(StorageFault):
        connect(Paths(tmp_path))
    assert "creating MLflow's database sqlite:///mlflow.db (once; takes several seconds)" in caplog.messages


def test_connecting_is_quiet_although_prefects_tables_were_imported_before(tracked_paths: Paths) -> None:
    code = (
        "import sys, warnings; from pathlib import Path; import prefect.server.database.orm_models\n"
        "warnings.simplefilter('error')\n"
        "from seq2seq_core.artifacts import Paths; from seq2seq_core.tracking.mlflow.store import connect\n"
        "connect(Paths(Path(sys.argv[1]))); print('connected')"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tracked_paths.root)], capture_output=True, text=True, timeout=300)
    assert (result.stdout, result.returncode) == ("connected\n", 0), result.stderr


def test_an_mlflow_behind_a_dead_proxy_is_named_with_the_variable_and_not_with_its_password(
    tmp_path: Path, no_outer_run: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.invalid:5000")
    monkeypatch.setenv("http_proxy", "http://me:pr0xy-s3cret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingUnreachable) as caught:
        connect(Paths(tmp_path))
    place = "http://mlflow.invalid:5000 (through the proxy of http_proxy; NO_PROXY names hosts that are reached without it)"
    assert str(caught.value).startswith(f"MLflow does not answer at {place}: ")
    assert "pr0xy" not in str(caught.value)
