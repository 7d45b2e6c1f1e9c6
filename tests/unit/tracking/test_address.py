from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import ConfigError, UserError
from seq2seq_core.tracking.mlflow.address import TOLD_VARIABLE, configured_place, displayed_uri, tracking_uri
from seq2seq_core.tracking.mlflow.store import connect


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch, no_outer_run: None) -> pytest.MonkeyPatch:
    """Sets ``MLFLOW_TRACKING_URI``; what a test has been warned of is forgotten after it."""
    monkeypatch.setenv(TOLD_VARIABLE, "")
    return monkeypatch


def workspace(root: Path, address: str) -> Paths:
    paths = Paths(root)
    paths.params.write_text(f"runtime:\n  tracking_uri: {address}\n", encoding="utf-8")
    return paths


def test_the_setting_is_the_address_whatever_the_environment_and_a_different_one_is_told_once(
    tmp_path: Path, variable: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paths = workspace(tmp_path, "http://mlflow:5000")
    assert (tracking_uri(paths), caplog.messages) == ("http://mlflow:5000", [])
    variable.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@other:5000")
    assert [tracking_uri(paths), displayed_uri(paths), configured_place(paths)] == [
        "http://mlflow:5000", "http://mlflow:5000", "runtime.tracking_uri",
    ]  # fmt: skip
    told = (
        "MLflow is at http://mlflow:5000, as runtime.tracking_uri of params.yaml says; MLFLOW_TRACKING_URI, http://other:5000, is "
        "not used"
    )
    assert caplog.messages == [told]
    assert os.environ[TOLD_VARIABLE] == "http://mlflow:5000 http://other:5000", "child processes must not repeat it"
    variable.setenv("MLFLOW_TRACKING_URI", "http://third:5000")
    displayed_uri(paths)
    assert len(caplog.messages) == 2


def test_a_variable_that_names_the_settings_address_adds_its_credentials(
    tmp_path: Path, variable: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paths = workspace(tmp_path, "postgresql://db/mlflow")
    variable.setenv("MLFLOW_TRACKING_URI", "postgresql://me:hunter2@db/mlflow")
    assert (tracking_uri(paths), displayed_uri(paths)) == ("postgresql://me:hunter2@db/mlflow", "postgresql://db/mlflow")
    assert caplog.messages == []


def test_a_file_in_the_workspace_is_the_same_by_its_whole_path(
    tmp_path: Path, variable: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paths = workspace(tmp_path, "sqlite:///runs/mlflow.db")
    variable.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/runs/mlflow.db")
    assert (tracking_uri(paths), displayed_uri(paths)) == (f"sqlite:///{tmp_path}/runs/mlflow.db", "sqlite:///runs/mlflow.db")
    assert caplog.messages == []


def test_without_a_setting_the_variable_counts(tmp_path: Path, variable: pytest.MonkeyPatch) -> None:
    paths = workspace(tmp_path, "''")
    variable.setenv("MLFLOW_TRACKING_URI", " http://other:5000 ")
    assert (tracking_uri(paths), configured_place(paths)) == ("http://other:5000", "MLFLOW_TRACKING_URI")
    paths.params.write_text("- no settings", encoding="utf-8")
    assert tracking_uri(paths) == "http://other:5000", "other faults of the file are left to those who read all settings"


def test_an_edit_during_a_run_does_not_move_the_rest_of_it(tmp_path: Path, no_outer_run: None) -> None:
    paths = workspace(tmp_path, "http://mlflow:5000")
    displayed_uri(paths)
    paths.params.write_text("runtime: {tracking_uri: 'http://other", encoding="utf-8")
    assert displayed_uri(paths) == "http://mlflow:5000"


def test_a_setting_that_cannot_be_one_is_refused_without_its_password(tmp_path: Path, no_outer_run: None) -> None:
    paths = workspace(tmp_path, "http://me:hunter2@mlflow:5000")
    with pytest.raises(ConfigError) as caught:
        connect(paths)
    assert caught.value.faults[0].startswith("runtime.tracking_uri: must hold no user name, password or token, because")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("localhost:5000", "such as http://localhost:5000, got localhost:5000"),
        ("me:hunter2@host:5000", "such as http://host:5000, got host:5000"),
        ("foo://me:hunter2@host", "such as http://host, got foo://host"),
    ],
)
def test_a_variable_that_is_no_address_is_refused_with_the_likely_one(
    tmp_path: Path, variable: pytest.MonkeyPatch, given: str, fault: str
) -> None:
    variable.setenv("MLFLOW_TRACKING_URI", given)
    expected = f"MLFLOW_TRACKING_URI: must begin with http://, https://, sqlite:/// or postgresql://, {fault}"
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        connect(Paths(tmp_path))


def test_an_experiment_of_dvc_uses_the_store_of_the_workspace_that_it_was_started_in(
    tmp_path: Path, variable: pytest.MonkeyPatch
) -> None:
    home, copy = tmp_path / "home", Paths(tmp_path / "home" / ".dvc" / "tmp" / "exps" / "copy")
    variable.setenv("MLFLOW_TRACKING_URI", "")
    variable.setenv("DVC_ROOT", str(home))
    variable.setenv("DVC_STAGE", "register")
    variable.delenv("DVC_EXP_NAME", raising=False)
    assert tracking_uri(copy) == f"sqlite:///{copy.root}/mlflow.db"
    variable.setenv("DVC_EXP_NAME", "narrow")
    assert (tracking_uri(copy), displayed_uri(copy)) == (f"sqlite:///{home}/mlflow.db", "sqlite:///mlflow.db")
