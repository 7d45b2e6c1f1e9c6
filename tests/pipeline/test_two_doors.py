"""The whole graph in fresh clones, through both doors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.stage_table import STAGES
from tests.pipeline.conftest import Workspace, executed_stages

pytestmark = pytest.mark.slow


def test_both_doors_do_the_same_work_and_leave_the_same_lock(
    reproduced: tuple[Path, str], reproduced_workspace: Workspace, make_workspace: Callable[[str], Workspace], prefect_api: str
) -> None:
    by_hand, by_flow = reproduced_workspace, make_workspace("by_flow")
    assert executed_stages(reproduced[1]) == [stage.name for stage in STAGES]
    metrics = json.loads((by_hand.root / "reports" / "metrics.json").read_text(encoding="utf-8"))
    assert 0.0 <= metrics["test"]["exact_match"] <= 1.0
    receipt = json.loads((by_hand.root / "reports" / "registration.json").read_text(encoding="utf-8"))
    assert (receipt["model_name"], int(receipt["version"]), receipt["decision"]) == ("digits", 1, "champion")
    assert executed_stages(by_hand.must("dvc", "repro")) == []
    _check_report(by_hand)
    assert by_hand.must("git", "status", "--porcelain").split() == ["??", "dvc.lock", "??", "reports/"]

    by_flow.environment["PREFECT_API_URL"] = prefect_api
    by_flow.must("s2s", "retrain")
    assert by_flow.lock == by_hand.lock
    _check_report(by_flow)
    assert executed_stages(by_flow.must("dvc", "repro")) == []
    assert by_flow.must("git", "status", "--porcelain").split() == ["??", "dvc.lock", "??", "reports/"]


def _check_report(workspace: Workspace) -> None:
    """The report of the run is on the disk, and once in MLflow, with the parent run."""
    text = (workspace.root / "reports" / "run.html").read_text(encoding="utf-8")
    assert "digits version 1 is champion" in text
    store = workspace.store
    runs = store.search_runs([one.experiment_id for one in store.search_experiments()])
    holders = [run for run in runs if "run.html" in [file.path for file in store.list_artifacts(run.info.run_id)]]
    assert [run.data.tags["kind"] for run in holders] == ["graph"]


def test_other_decoding_options_are_another_version_and_no_other_training(reproduced_workspace: Workspace) -> None:
    workspace = reproduced_workspace
    workspace.change("evaluate", beam_size=1, max_length=3)
    assert executed_stages(workspace.must("dvc", "repro")) == ["code", "export", "evaluate", "register"]
    receipt = json.loads((workspace.root / "reports" / "registration.json").read_text(encoding="utf-8"))
    assert receipt["version"] == "2"
    predictions = (workspace.root / "reports" / "evaluation" / "predictions.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in predictions.splitlines()]
    (workspace.root / "sources.txt").write_text("".join(f"{row['source']}\n" for row in rows), encoding="utf-8")
    said = workspace.call("predict", str(workspace.root / "sources.txt")).stdout.splitlines()
    assert said == [row["hypothesis"] for row in rows]
    assert max(map(len, said)) <= 3


def test_a_registry_that_was_emptied_gets_the_model_again_without_training(
    reproduced_workspace: Workspace, prefect_api: str, mlflow_template: Path
) -> None:
    workspace = reproduced_workspace
    workspace.environment["PREFECT_API_URL"] = prefect_api
    before = workspace.lock
    shutil.copy(mlflow_template, workspace.root / "mlflow.db")
    by_flow = workspace.call("retrain")
    assert by_flow.exit_code == 0, by_flow.output
    assert executed_stages(by_flow.output) == ["register"]  # the rest was done by hand
    assert workspace.lock == before
    assert str(workspace.store.get_model_version_by_alias("digits", "champion").version) == "1"


def test_a_users_fault_has_the_same_message_through_every_door(
    make_workspace: Callable[[str], Workspace], prefect_api: str
) -> None:
    workspace = make_workspace("clone")
    workspace.environment["PREFECT_API_URL"] = prefect_api
    (workspace.root / "data" / "raw" / "digits" / "dev.tsv").write_bytes(b"source\ttarget\tparity\nsp\xe4t\tx\teven\n")
    direct = workspace.call("validate")
    assert direct.exit_code == 2
    message = direct.stderr.split("error: ", maxsplit=1)[1].strip().splitlines()
    assert any("dev.tsv:2" in line and "UTF-8" in line for line in message), message
    assert "dev.tsv:2" in (workspace.root / "reports" / "run.html").read_text(encoding="utf-8")

    by_hand = workspace.run("dvc", "repro")
    assert by_hand.returncode == 255
    assert all(line in by_hand.stdout + by_hand.stderr for line in message)

    by_flow = workspace.call("retrain")
    assert by_flow.exit_code == 2
    assert f"error: {message[0]}" in by_flow.stderr
    assert all(line in by_flow.stderr for line in message)
    assert by_flow.stderr.count("Running stage 'validate'") == 1
    assert "Traceback" not in by_flow.stderr
    assert not (workspace.root / "data" / "prepared").exists()
