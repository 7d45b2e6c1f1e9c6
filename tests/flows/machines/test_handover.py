from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.dvc.git_command import git
from flows.graph.stage_graph import StageGraph
from flows.machines.checkout import check_out, clone_for
from flows.machines.handover import Handover, pooled_stages, prepare_handover
from flows.machines.stage_order import StageAnswer
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.dvc_files import uncached_outputs
from seq2seq_core.errors import ConfigError, EnvironmentFault, UserError
from tests.flows.conftest import ToyWorkspace, run_in

GRAPH = StageGraph(
    ("code", "train"),
    {"code": frozenset(), "train": frozenset({"code"})},
    ("data/raw/toy.dvc",),
    {"train": ("code", "data/raw/toy.dvc")},
)
RUN = "11111111-1111-1111-1111-111111111111"


@pytest.fixture
def workspace(make_workspace: Callable[..., ToyWorkspace]) -> ToyWorkspace:
    made = make_workspace()
    made.set_flow(stages={"train": {"pool": "gpu"}})
    run_in(made.root, "git", "commit", "-q", "-a", "-m", "pool")
    run_in(made.root, "git", "remote", "add", "origin", str(made.root))
    return made


def prepare(workspace: ToyWorkspace) -> Handover:
    return prepare_handover(workspace.paths, GRAPH, load(workspace), {"train"}, RUN)


def load(workspace: ToyWorkspace) -> Settings:
    return load_settings(workspace.paths.params)


def test_the_stage_that_digests_the_code_stays_here(workspace: ToyWorkspace) -> None:
    assert pooled_stages(GRAPH, load(workspace)) == {"train"}
    workspace.set_flow(default={"pool": "gpu"}, stages={})
    with pytest.raises(UserError) as caught:
        pooled_stages(GRAPH, load(workspace))
    assert str(caught.value) == (
        "runtime.flow.stages.code.pool: must be empty, because this stage compares the code here with that of the last run"
    )


def test_a_worker_gets_the_settings_of_the_run_without_the_address_of_the_webhook(workspace: ToyWorkspace) -> None:
    workspace.set_flow(notify={"webhook_url": "https://chat.example.org/hooks/AbCdEf123456"})
    order = prepare(workspace).order("train", "never run", is_forced=True)
    assert "AbCdEf123456" not in order.model_dump_json()
    assert yaml.safe_load(order.params)["runtime"]["flow"]["stages"] == {"train": {"pool": "gpu"}}
    assert (order.commit, order.inputs, order.lock, order.is_forced) == (
        git(workspace.root, "rev-parse", "HEAD"), ["code", "data/raw/toy.dvc"], "", True,
    )  # fmt: skip
    assert order.sources == {"data/raw/toy.dvc": (workspace.root / "data/raw/toy.dvc").read_text()}


def test_a_secret_in_the_settings_goes_to_no_server(workspace: ToyWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_PASSWORD", "correct-horse-battery")
    workspace.set_params(train={"seed": 1, "initial_weights": "data/correct-horse-battery"})
    handover = prepare(workspace)
    with pytest.raises(UserError, match=r"^params.yaml: holds a secret"):
        handover.order("train", "", is_forced=False)


def test_code_that_no_clone_would_have_is_refused(workspace: ToyWorkspace) -> None:
    (workspace.root / "flows").mkdir()
    (workspace.root / "flows" / "own.py").write_text("")
    (workspace.root / "toy_stage.py").write_text("")
    commit = git(workspace.root, "rev-parse", "HEAD")[:10]
    with pytest.raises(UserError) as caught:
        prepare(workspace)
    assert str(caught.value) == (
        f"runtime.flow.stages.train.pool: a worker runs commit {commit}, and these files differ: toy_stage.py, flows/own.py; "
        "commit and push them"
    )


def test_without_an_address_to_clone_from_or_a_server_nothing_is_handed_over(
    workspace: ToyWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_in(workspace.root, "git", "remote", "remove", "origin")
    with pytest.raises(UserError, match=r"the remote `origin` or runtime.flow.pools.repository"):
        prepare(workspace)
    monkeypatch.setenv("S2S_EMBEDDED_PREFECT", "1")
    with pytest.raises(UserError, match=r"needs a Prefect server that workers reach"):
        prepare(workspace)


@pytest.mark.parametrize("address", ["https://me:secret@example.org/x.git", "https://token@example.org/x.git"])
def test_an_address_with_credentials_is_refused(workspace: ToyWorkspace, address: str) -> None:
    workspace.set_flow(pools={"repository": address})
    with pytest.raises(ConfigError, match=r"runtime.flow.pools.repository: must hold no user name, password or token"):
        load(workspace)
    workspace.set_flow(pools={"repository": "ssh://git@example.org/x.git"})
    assert load(workspace).runtime.flow.pools.repository == "ssh://git@example.org/x.git"


def test_a_clone_gets_the_commit_and_the_files_of_the_order(
    workspace: ToyWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2S_STAGE_FOLDER", str(tmp_path / "worker"))
    workspace.set_params(train={"seed": 7})
    (workspace.root / "dvc.lock").write_text("schema: '2.0'\n")
    order = prepare(workspace).order("train", "", is_forced=False)
    clone = clone_for(order)
    assert clone_for(order) == clone
    root = check_out(order, clone, pytest.fail)
    assert yaml.safe_load((root / "params.yaml").read_text())["train"] == {"seed": 7}
    assert (root / "dvc.lock").read_text() == "schema: '2.0'\n"

    (root / "toy_stage.py").write_text("what a killed run left")
    run_in(workspace.root, "git", "commit", "-q", "--allow-empty", "-a", "-m", "next")
    later = prepare(workspace).order("train", "", is_forced=False)
    told: list[str] = []
    check_out(later.model_copy(update={"lock": ""}), clone, told.append)
    assert told == [f"fetched commit {later.commit[:10]} from {workspace.root}"]
    assert (root / "toy_stage.py").read_bytes() == (workspace.root / "toy_stage.py").read_bytes()
    assert not (root / "dvc.lock").exists()

    unknown = later.model_copy(update={"commit": "0" * 39 + "1"})
    with pytest.raises(UserError, match=r"^train: commit 0000000000 of the flow's workspace is on no branch of .*; push it$"):
        check_out(unknown, clone, told.append)
    with pytest.raises(EnvironmentFault, match=r"^train: the worker cannot clone the repository: "):
        clone_for(later.model_copy(update={"repository": str(tmp_path / "nowhere")}))


def test_an_answer_may_not_write_outside_of_the_workspace(workspace: ToyWorkspace) -> None:
    answer = StageAnswer(state="ran", reason="", entry={"cmd": "x"}, files={"../evil": "text"})
    with pytest.raises(UserError, match=r"^../evil: a worker's answer names a file outside of the workspace$"):
        prepare(workspace).take_back("train", answer)
    assert not (workspace.root / "dvc.lock").exists()


def test_outputs_that_git_has_are_known(tmp_path: Path) -> None:
    stage: dict[str, Any] = {
        "outs": ["models", {"reports/receipt.json": {"cache": False}}],
        "metrics": [{"m.json": {"cache": True}}],
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"register": stage}}))
    assert uncached_outputs(tmp_path, "register") == ["reports/receipt.json"]
    assert uncached_outputs(tmp_path, "train") == []
