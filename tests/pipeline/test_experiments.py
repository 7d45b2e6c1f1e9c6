"""Experiments by ``dvc exp run``: in a copy of the workspace, with the workspace's own records and registry.

The experiment changes decoding options alone: that is another version of the model, and no other training.
"""

from __future__ import annotations

import json

import pytest

from tests.flows.waiting import wait_until
from tests.pipeline.conftest import Workspace, executed_stages

pytestmark = pytest.mark.slow


@pytest.mark.proof
def test_an_experiment_in_a_copy_registers_in_the_workspace_and_moves_no_alias(reproduced_workspace: Workspace) -> None:
    workspace = reproduced_workspace
    workspace.must("dvc", "add", "-q", "data/raw/digits")
    workspace.must("git", "add", "-A")
    workspace.must("git", "commit", "-q", "-m", "reproduced")
    before = (workspace.root / "reports" / "registration.json").read_bytes()

    workspace.must("dvc", "exp", "run", "--queue", "--name", "short", "-S", "evaluate.beam_size=1", "-S", "+evaluate.max_length=3")
    workspace.must("dvc", "queue", "start")

    def is_over() -> bool:
        return not set(workspace.must("dvc", "queue", "status").split()) & {"Queued", "Running"}

    wait_until(is_over, "the end of the queue", pause=5.0)  # the command takes a second of the processor
    try:
        said = workspace.must("dvc", "queue", "logs", "short")
        assert "Success" in workspace.must("dvc", "queue", "status"), said
    finally:
        workspace.must("dvc", "queue", "stop")
    assert executed_stages(said) == ["code", "export", "evaluate", "register"]

    store = workspace.store
    assert store.get_registered_model("digits").aliases == {"champion": 1}
    tags = store.get_model_version("digits", "2").tags
    assert (tags["decision"], tags["dvc_experiment"]) == ("experiment", "short")
    (run,) = store.search_runs(["1"], "tags.kind = 'graph' and tags.dvc_experiment = 'short'")
    assert (run.info.status, run.data.tags["workspace"], run.data.tags["model_version"]) == ("FINISHED", str(workspace.root), "2")
    assert (workspace.root / "reports" / "registration.json").read_bytes() == before
    assert not workspace.must("git", "status", "--short")
    assert not list((workspace.root / ".dvc" / "tmp" / "exps").rglob("mlflow.db"))
    assert not list((workspace.root / ".dvc" / "tmp" / "exps").glob("tmp*"))

    workspace.must("dvc", "exp", "apply", "short")
    predictions = (workspace.root / "reports" / "evaluation" / "predictions.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in predictions.splitlines()]
    (workspace.root / "sources.txt").write_text("".join(f"{row['source']}\n" for row in rows), encoding="utf-8")
    outputs = workspace.call("predict", str(workspace.root / "sources.txt")).stdout.splitlines()
    assert outputs == [row["hypothesis"] for row in rows]
    assert max(map(len, outputs)) <= 3
