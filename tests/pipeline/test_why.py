"""What `s2s why` names before a run, after both doors; and what the run itself keeps of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.pipeline.conftest import Workspace, copy_workspace

pytestmark = pytest.mark.slow

DATA = "data/raw/digits"


def _replace(old: str, new: str) -> Callable[[Path], None]:
    def edit(file: Path) -> None:
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file}: {old!r}"
        file.write_text(text.replace(old, new), encoding="utf-8")

    return edit


def _edit_rows(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[16] = lines[16].replace("odd", "ODD").replace("even", "EVEN")
    lines += ["998\t9,9,8\teven", "999\t9,9,9\todd"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _drop_row(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:3] + lines[4:]), encoding="utf-8")


@dataclass(frozen=True)
class Case:
    """An edit, and what is said of it.

    Attributes:
        file: that is edited.
        edit: changes it.
        stage: that names the change, and the door through which it ran last.
        text: of the reason.
        details: the line before and after.
        through: a stage further down, and the stages between both.
    """

    file: str
    edit: Callable[[Path], None]
    stage: str
    text: str
    details: tuple[str, ...] = ()
    through: tuple[str, ...] = ()


RULE = "seq2seq_core/corpus/cleaning_rules/max_length_ratio.py"
COSINE = "seq2seq_core/training/updates/schedules/cosine.py"
CASES = {
    # prepare ran last through the flow, all other stages by dvc repro
    "a line of a cleaning rule": Case(
        RULE,
        _replace("return longer > section", "return longer >= section"),
        "prepare",
        f"cleaning rule max_length_ratio: function _is_broken changed ({RULE}:11)",
        (
            "- return longer > section.max_length_ratio * shorter",
            "+ return longer >= section.max_length_ratio * shorter",
        ),
        ("train", "prepare", "tokenize"),
    ),
    "rows of a file, where the flow ran": Case(
        f"{DATA}/train.tsv",
        _edit_rows,
        "prepare",
        f"{DATA}/train.tsv: 2 rows added (from line 302), 1 row changed (line 17)",
        through=("train", "prepare", "tokenize"),
    ),
    "a setting, where the flow ran": Case(
        "params.yaml", _replace("max_length_ratio: 9.0", "max_length_ratio: 8.5"), "prepare", "prepare.max_length_ratio: 9.0 → 8.5"
    ),
    "a row that is gone": Case(f"{DATA}/dev.tsv", _drop_row, "validate", f"{DATA}/dev.tsv: 1 row removed (it was line 4)"),
    "a new file": Case(f"{DATA}/more.tsv", lambda file: file.touch(), "validate", f"{DATA}/more.tsv is new"),
    "a setting": Case("params.yaml", _replace("max_steps: 12", "max_steps: 13"), "train", "train.max_steps: 12 → 13"),
    "a setting that was not set": Case(
        "params.yaml", _replace("beam_size: 2", "beam_size: 2\n  length_penalty: 0.5"), "export",
        "evaluate.length_penalty: 0.5 (not set before)", through=("register",),
    ),
    "a default": Case(
        "seq2seq_core/config/decoding_options.py",
        _replace("highest=4096)] = Field(default=20", "highest=4096)] = Field(default=21"),
        "export",
        "the default of evaluate.max_length_offset: 20 → 21",
    ),
    "a line of the training": Case(
        COSINE,
        _replace("return 0.5 * (", "return 0.25 * 2 * ("),
        "train",
        f"schedule cosine: function fraction changed ({COSINE}:13)",
        (
            "- return 0.5 * (1.0 + math.cos(math.pi * decayed_fraction(step, settings)))",
            "+ return 0.25 * 2 * (1.0 + math.cos(math.pi * decayed_fraction(step, settings)))",
        ),
        ("evaluate", "train"),
    ),
    "a new constant": Case(
        "seq2seq_core/decoding/beam_search.py",
        _replace("from __future__ import annotations\n", "from __future__ import annotations\n\nMOST = 3\n"),
        "evaluate",
        "constant MOST new (seq2seq_core/decoding/beam_search.py:20)",
        ("+ MOST = 3",),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def twice_run(tmp_path_factory: pytest.TempPathFactory, reproduced: tuple[Path, str], prefect_api: str) -> tuple[Workspace, str]:
    """A clone after `dvc repro`, and after a retrain that ran `prepare` alone; with what that said."""
    workspace = copy_workspace(reproduced[0], tmp_path_factory.mktemp("why") / "clone")
    workspace.change("prepare", max_length_ratio=9.0)
    workspace.environment["PREFECT_API_URL"] = prefect_api
    done = workspace.call("retrain")
    assert done.exit_code == 0, done.output
    return workspace, done.stdout


@pytest.fixture(scope="module")
def edited(twice_run: tuple[Workspace, str]) -> Workspace:
    """The same clone after every edit."""
    workspace = twice_run[0]
    del workspace.environment["PREFECT_API_URL"]
    for case in CASES.values():
        case.edit(workspace.root / case.file)
    return workspace


@pytest.fixture(scope="module")
def plan(edited: Workspace) -> dict[str, Any]:
    """What is said before the next run."""
    told = edited.run("s2s", "why", "--json")
    assert told.returncode == 0, told.stderr
    return {stage["name"]: stage for stage in json.loads(told.stdout)["stages"]}


def test_the_flow_and_mlflow_say_why_a_stage_ran(twice_run: tuple[Workspace, str]) -> None:
    workspace, said = twice_run
    why = "prepare.max_length_ratio: 9.0 (not set before)"
    assert next(line for line in said.splitlines() if line.split()[0] == "prepare").endswith(why)
    runs = workspace.store.search_runs([one.experiment_id for one in workspace.store.search_experiments()])
    child, parent = (
        next(run for run in runs if wanted.items() <= run.data.tags.items()) for wanted in ({"why": why}, {"kind": "graph"})
    )
    assert child.data.tags["stage"] == "prepare"
    assert f"| {why} |" in parent.data.tags["mlflow.note.content"]
    told = workspace.call("why", "prepare")
    assert told.stdout.splitlines()[1] == f"    it last ran for: {why}", told.output


@pytest.mark.parametrize("name", CASES)
def test_an_edit_is_named_with_its_place_and_through_the_stages_between(plan: dict[str, Any], name: str) -> None:
    case = CASES[name]
    found = {reason["text"]: tuple(reason["details"]) for reason in plan[case.stage]["reasons"]}
    assert found.get(case.text) == case.details, found
    assert plan[case.stage]["state"] == "runs"
    assert plan[case.stage]["last"]["cpu_seconds"] > 0
    if case.through:
        below, *way = case.through
        texts = {
            reason["text"]
            for cause in plan[below]["causes"]
            if [cause["stage"], *cause["through"]] == (way or [case.stage])
            for reason in cause["reasons"]
        }
        assert case.text in texts


def test_nothing_else_is_named(plan: dict[str, Any]) -> None:
    # The class of the default is not of the section of every stage that reads it: there its defaults are code.
    expected = {case.text for case in CASES.values()} | {"class SearchOptions changed (seq2seq_core/config/decoding_options.py:71)"}
    told = {reason["text"] for stage in plan.values() for reason in stage["reasons"]}
    assert {text for text in told if text not in expected} == set()
    assert (plan["tokenize"]["state"], plan["tokenize"]["reasons"], plan["tokenize"]["reads"]) == ("may run", [], ["data/prepared"])


def test_a_dry_run_says_it_for_people_and_leaves_nothing(edited: Workspace) -> None:
    edited.environment["PREFECT_API_URL"] = "http://127.0.0.1:9/api"  # nobody is asked
    before = _files(edited.root)
    told = edited.call("retrain", "--dry-run", "--set", "train.seed=7", "--force", "tokenize")
    assert told.exit_code == 0, told.output
    lines = told.stdout.splitlines()
    assert lines[0].startswith("7 of 7 stages will run; last time they took ")
    assert {"    train.seed: 1 → 7", "    asked for (--force)"} <= {*lines}
    assert _files(edited.root) == before
    assert edited.call("retrain", "--dry-run", "--force", "nothing").exit_code == 2


def test_the_state_has_champion_last_run_schedule_and_what_would_run(edited: Workspace, prefect_api: str) -> None:
    edited.environment["PREFECT_API_URL"] = prefect_api
    _deploy(prefect_api)
    done = edited.call("status", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["champion"]["version"], found["champion"]["summary"].split()[1]) == ("1", "exact_match:")
    assert found["champion"]["last_run"].startswith("digits prepare done, finished, ")
    assert " · by hand · " in found["prefect"]["last_run"]
    assert ": Completed" in found["prefect"]["last_run"]
    assert found["prefect"]["schedules"] == ["digits-nightly: 0 3 * * *"]
    assert found["last_stage"].startswith("prepare, ok, ")
    assert found["troubles"] == []
    lines = edited.call("status").stdout.splitlines()
    assert lines[1].startswith("stages:    6 of 7 stages will run, 1 more may run; last time they took ")
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
