from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows import launch
from flows.dvc.one_run_settings import put_back, settings_for_one_run
from flows.graph.stage_choices import offer_stages
from flows.reports.summary import RetrainSummary
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.config.yaml_text import parse_yaml
from seq2seq_core.errors import ConfigError, UserError
from tests.flows.conftest import CHAIN, ToyWorkspace
from tests.flows.waiting import wait_until

TEXT = """\
# Ours.\r
corpus: {path: data/raw/toy, files: {train: [train.tsv]}}\r
register: {model_name: toy}\r
train:\r
  seed: 1  # of the first run\r
"""
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    paths.params.write_bytes(TEXT.encode())
    return paths


@pytest.fixture
def told() -> list[str]:
    return []


def content(paths: Paths) -> str:
    return paths.params.read_bytes().decode()


def test_the_file_holds_the_settings_during_the_run_and_is_then_back_byte_for_byte(paths: Paths, told: list[str]) -> None:
    with settings_for_one_run(paths, ["train.seed=7", "runtime.flow.notify.on=[success]", "train.phases=[]"], told.append) as notes:
        settings = load_settings(paths.params)
        assert (settings.train.seed, settings.runtime.flow.notify.on) == (7, ["success"])
        assert "# of the first run" in content(paths)
        assert notes == ["settings of this run only: train.seed=7, runtime.flow.notify.on=[success], train.phases=[]"]
    assert content(paths) == TEXT
    with settings_for_one_run(paths, [], told.append) as notes:
        assert (notes, content(paths)) == ([], TEXT)


def test_a_failed_run_puts_the_file_back_too_and_a_link_stays_a_link(paths: Paths, told: list[str]) -> None:
    kept = paths.root / "kept.yaml"
    paths.params.rename(kept)
    paths.params.symlink_to(kept)
    with pytest.raises(RuntimeError), settings_for_one_run(paths, ["train.seed=7"], told.append):
        raise RuntimeError
    assert content(paths) == TEXT
    assert paths.params.is_symlink()


def test_what_somebody_writes_during_the_run_stays_and_the_original_is_kept(paths: Paths, told: list[str]) -> None:
    edited = TEXT.replace("seed: 1", "seed: 2")
    with settings_for_one_run(paths, ["train.seed=7"], told.append):
        paths.params.write_bytes(edited.encode())
    assert content(paths) == edited
    kept = paths.work / "params.before.yaml"
    assert told == [
        f"params.yaml was edited during a run with other settings and stays as it is; the file before that run is {kept}"
    ]
    assert kept.read_bytes().decode() == TEXT
    assert not (paths.work / "params.original.yaml").exists()


@pytest.mark.parametrize("gone", ["params.yaml", ".s2s/params.changed.yaml"])
def test_after_a_kill_the_original_comes_back_although_a_file_is_gone(paths: Paths, told: list[str], gone: str) -> None:
    with settings_for_one_run(paths, ["train.seed=7"], told.append):
        (paths.root / gone).unlink()
        put_back(paths, told.append)
        assert (content(paths), told) == (TEXT, [])
    assert content(paths) == TEXT


@pytest.mark.parametrize(
    ("assignment", "fault"),
    [
        ("train.seed", "train.seed: must be section.field=value, such as train.max_steps=200"),
        ("train.sed=1", "train.sed: must be a known setting, got an unknown name (value 1)"),
        ("train.seed=-1", "train.seed: must be at least 0, got -1"),
        ("train.seed.x=1", "train.seed.x=1: must be section.field=value, such as train.max_steps=200 ('train.seed.x')"),
        ("train.seed=[", "train.seed=[: must be section.field=value, such as train.max_steps=200 (line 1"),
    ],
)
def test_a_wrong_assignment_is_a_fault_that_changes_nothing(paths: Paths, told: list[str], assignment: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught, settings_for_one_run(paths, [assignment], told.append):
        pass
    assert caught.value.source == "set"
    assert caught.value.faults[0].startswith(fault)
    assert content(paths) == TEXT
    assert not (paths.work / "params.original.yaml").exists()


@pytest.mark.proof
@pytest.mark.slow
def test_a_run_with_other_settings_is_one_of_a_kind_even_when_it_is_killed(
    make_workspace: Callable[..., ToyWorkspace], retrain: Callable[..., RetrainSummary], start_retrain: Start
) -> None:
    workspace = make_workspace(CHAIN)
    original = workspace.paths.params.read_bytes()
    once = retrain(workspace, assignments=("train.seed=5",))
    assert once.notes[0] == "settings of this run only: train.seed=5"
    assert workspace.paths.params.read_bytes() == original
    lock: Any = parse_yaml((workspace.root / "dvc.lock").read_text())
    assert lock["stages"]["train"]["params"]["params.yaml"] == {"train.seed": 5}

    workspace.behave("train", "hang:x")
    process = start_retrain(workspace, "train.seed=6")
    wait_until((workspace.root / ".s2s" / "hanging").exists, "the stage that hangs")
    process.send_signal(signal.SIGKILL)
    assert workspace.paths.params.read_bytes() != original
    workspace.behave("train", "")
    results: list[RetrainSummary] = []

    def has_run() -> bool:
        results.append(retrain(workspace))
        return results[-1].failure is None

    wait_until(has_run, "the run after the killed one")
    assert workspace.paths.params.read_bytes() == original
    assert {report.stage: report.state for report in results[-1].stages}["train"] == "ran"


def test_the_page_offers_the_stages_of_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.utilities.callables import parameter_schema

    from flows.retrain import retrain

    monkeypatch.chdir(tmp_path)
    schema: dict[str, Any] = {}
    offer_stages(schema)
    assert schema == {}, "no dvc.yaml"
    (tmp_path / "dvc.yaml").write_text("stages: {prepare: {cmd: x}, mine: {cmd: y}}\n")
    assert '"enum": ["prepare", "mine"]' in json.dumps(parameter_schema(retrain).properties["force"])
    (tmp_path / "dvc.yaml").write_text("stages: {prepare: {foreach: [de, fr], do: {cmd: x}}}\n")
    assert "enum" not in json.dumps(parameter_schema(retrain).properties["force"])


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"assignments": ["train.max_step=20"]}, "train.max_step: must be a known setting"),
        ({"force": ["trian"]}, "force: must name stages of dvc.yaml (prepare, train, evaluate), got trian"),
    ],
)
def test_a_slip_at_the_terminal_is_told_before_a_server_starts(
    make_workspace: Callable[..., ToyWorkspace], monkeypatch: pytest.MonkeyPatch, asked: dict[str, list[str]], fault: str
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a server was started")

    monkeypatch.setattr(launch, "prefect_server", never)
    workspace = make_workspace(CHAIN)
    with pytest.raises(UserError) as caught:
        launch.run_retrain(workspace.root, **asked)
    assert fault in str(caught.value)
