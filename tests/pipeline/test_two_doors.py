"""The whole graph in fresh clones, through both doors."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from seq2seq_core.stage_table import STAGES
from tests.pipeline.conftest import Workspace, copy_workspace, executed_stages
from tests.pipeline.edit_cases import CASES

pytestmark = [pytest.mark.slow, pytest.mark.proof]


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory, reproduced: tuple[Path, str]) -> Workspace:
    """A clone after `dvc repro`."""
    return copy_workspace(reproduced[0], tmp_path_factory.mktemp("by_hand") / "clone")


@pytest.fixture(scope="module")
def by_flow(tmp_path_factory: pytest.TempPathFactory, clone: Path, prefect_api: str) -> Workspace:
    """A clone after `s2s retrain`."""
    workspace = copy_workspace(clone, tmp_path_factory.mktemp("by_flow") / "clone")
    workspace.environment["PREFECT_API_URL"] = prefect_api
    workspace.must("s2s", "retrain")
    return workspace


def test_both_doors_do_the_same_work_and_leave_the_same_lock(
    reproduced: tuple[Path, str], by_hand: Workspace, by_flow: Workspace
) -> None:
    assert executed_stages(reproduced[1]) == [stage.name for stage in STAGES]
    metrics = json.loads((by_hand.root / "reports" / "metrics.json").read_text(encoding="utf-8"))
    assert 0.0 <= metrics["test"]["exact_match"] <= 1.0
    receipt = json.loads((by_hand.root / "reports" / "registration.json").read_text(encoding="utf-8"))
    assert (receipt["model_name"], int(receipt["version"]), receipt["decision"]) == ("digits", 1, "champion")
    assert executed_stages(by_hand.must("dvc", "repro")) == []
    _check_report(by_hand)
    assert by_hand.must("git", "status", "--porcelain").split() == ["??", "dvc.lock", "??", "reports/"]

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


@pytest.fixture(scope="module")
def plans(by_hand: Workspace, by_flow: Workspace) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said before the next run, after every edit of both clones."""
    told = []
    for workspace in (by_hand, by_flow):
        for case in CASES.values():
            case.edit(workspace.root / case.file)
        said = json.loads(workspace.must("s2s", "why", "--json"))
        told.append({stage["name"]: stage for stage in said["stages"]})
    return told[0], told[1]


def test_mlflow_and_the_report_say_why_a_stage_ran(by_hand: Workspace, by_flow: Workspace) -> None:
    for workspace in (by_hand, by_flow):
        runs = workspace.store.search_runs([one.experiment_id for one in workspace.store.search_experiments()])
        parent = next(run for run in runs if run.data.tags["kind"] == "graph")
        assert parent.data.tags["mlflow.note.content"].count("| never run |") == len(STAGES) - 1
        assert {run.data.tags["why"] for run in runs if run is not parent} == {"never run"}
        assert "why it ran" in (workspace.root / "reports" / "run.html").read_text(encoding="utf-8")
        assert workspace.call("why", "train").stdout.splitlines()[1:] == ["    it last ran for: never run"]


@pytest.mark.parametrize("name", CASES)
def test_an_edit_is_named_after_both_doors_with_its_place_and_through_the_stages_between(
    plans: tuple[dict[str, Any], dict[str, Any]], name: str
) -> None:
    case = CASES[name]
    for plan in plans:
        found = {reason["text"]: tuple(reason["details"]) for reason in plan[case.stage]["reasons"]}
        assert found.get(case.text) == case.details, found
        assert plan[case.stage]["state"] == "runs"
        assert plan[case.stage]["last"]["cpu_seconds"] > 0
        if case.through:
            below, *way = case.through
            causes = [cause for cause in plan[below]["causes"] if [cause["stage"], *cause["through"]] == (way or [case.stage])]
            assert case.text in {reason["text"] for cause in causes for reason in cause["reasons"]}


def test_nothing_else_is_named(plans: tuple[dict[str, Any], dict[str, Any]]) -> None:
    # The class of the default is not of the section of every stage that reads it: there its defaults are code.
    expected = {case.text for case in CASES.values()} | {"class SearchOptions changed (seq2seq_core/config/decoding_options.py:71)"}
    for plan in plans:
        assert {reason["text"] for stage in plan.values() for reason in stage["reasons"]} == expected
        tokenize = plan["tokenize"]
        assert (tokenize["state"], tokenize["reasons"], tokenize["reads"]) == ("may run", [], ["data/prepared"])


@pytest.mark.usefixtures("plans")
def test_a_dry_run_says_it_for_people_and_leaves_nothing(by_hand: Workspace) -> None:
    by_hand.environment["PREFECT_API_URL"] = "http://127.0.0.1:9/api"  # nobody is asked
    before = _files(by_hand.root)
    told = by_hand.call("retrain", "--dry-run", "--set", "train.seed=7", "--force", "tokenize")
    assert told.exit_code == 0, told.output
    lines = told.stdout.splitlines()
    assert lines[0].startswith("7 of 7 stages will run; last time they took ")
    assert {"    train.seed: 1 → 7", "    asked for (--force)"} <= {*lines}
    assert _files(by_hand.root) == before


@pytest.mark.usefixtures("plans")
def test_the_state_has_champion_last_run_schedule_and_what_would_run(by_flow: Workspace, prefect_api: str) -> None:
    _deploy(prefect_api)
    done = by_flow.call("status")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == f"digits, in {by_flow.root}"
    assert lines[1].startswith("stages:    6 of 7 stages will run, 1 more may run; last time they took ")
    facts = "\n".join(lines)
    assert re.search(r"^champion:  version 1 of .* UTC: \S+ exact_match", facts, re.MULTILINE), facts
    assert re.search(r"^last run:  digits · by hand · \S+: Completed, .* UTC \(Prefect\)$", facts, re.MULTILINE), facts
    assert re.search(r"^ +digits v1 champion, finished, .* UTC \(MLflow\)$", facts, re.MULTILINE), facts
    assert "schedule:  digits-nightly: 0 3 * * *" in lines
    assert lines[-1] == "nothing is wrong"
    assert len(lines) <= 25


def _deploy(address: str) -> None:
    """A deployment with a schedule, as `prefect deploy` makes it."""
    own = {"name": "digits-nightly", "tags": ["model:digits"], "schedules": [{"schedule": {"cron": "0 3 * * *"}, "active": True}]}
    with httpx.Client(base_url=address, timeout=30.0, trust_env=False) as client:
        flow = client.post("/flows/", json={"name": "retrain"}).raise_for_status().json()["id"]
        client.post("/deployments/", json={**own, "flow_id": flow, "entrypoint": "flows/retrain.py:retrain"}).raise_for_status()


def _files(root: Path) -> dict[str, int]:
    """What lies in a workspace, but for DVC's own records."""
    files = (path for path in root.rglob("*") if path.is_file() and not {".dvc", "__pycache__"} & {*path.parts})
    return {path.relative_to(root).as_posix(): path.stat().st_mtime_ns for path in files}


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
