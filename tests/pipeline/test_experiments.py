"""Experiments by ``dvc exp run``: in a copy of the workspace, with the workspace's own records and registry."""

from __future__ import annotations

import pytest

from tests.flows.waiting import wait_until
from tests.pipeline.conftest import Workspace, executed_stages

pytestmark = pytest.mark.slow


def test_an_experiment_in_a_copy_registers_in_the_workspace_and_moves_no_alias(reproduced_workspace: Workspace) -> None:
    workspace = reproduced_workspace
    workspace.must("dvc", "add", "-q", "data/raw/digits")
    workspace.must("git", "add", "-A")
    workspace.must("git", "commit", "-q", "-m", "reproduced")
    before = (workspace.root / "reports" / "registration.json").read_bytes()

    workspace.must("dvc", "exp", "run", "--queue", "--name", "wide", "-S", "evaluate.beam_size=3")
    workspace.must("dvc", "queue", "start")

    def is_over() -> bool:
        return not set(workspace.must("dvc", "queue", "status").split()) & {"Queued", "Running"}

    wait_until(is_over, "the end of the queue", pause=5.0)  # the command takes a second of the processor
    try:
        said = workspace.must("dvc", "queue", "logs", "wide")
        assert "Success" in workspace.must("dvc", "queue", "status"), said
    finally:
        workspace.must("dvc", "queue", "stop")
    assert executed_stages(said) == ["code", "export", "evaluate", "register"]

    store = workspace.store
    assert store.get_registered_model("digits").aliases == {"champion": 1}
    tags = store.get_model_version("digits", "2").tags
    assert (tags["decision"], tags["dvc_experiment"]) == ("experiment", "wide")
    (run,) = store.search_runs(["1"], "tags.kind = 'graph' and tags.dvc_experiment = 'wide'")
    assert (run.info.status, run.data.tags["workspace"], run.data.tags["model_version"]) == ("FINISHED", str(workspace.root), "2")
    assert (workspace.root / "reports" / "registration.json").read_bytes() == before
    assert not workspace.must("git", "status", "--short")
    assert not list((workspace.root / ".dvc" / "tmp" / "exps").rglob("mlflow.db"))
    assert not list((workspace.root / ".dvc" / "tmp" / "exps").glob("tmp*"))
