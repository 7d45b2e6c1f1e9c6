"""Experiments by ``dvc exp run``: in a copy of the workspace, with the workspace's own records and registry."""

from __future__ import annotations

import json

import pytest

from tests.flows.waiting import wait_until
from tests.pipeline.conftest import Workspace, executed_stages

pytestmark = pytest.mark.slow

LIST_RECORDS = """
import json
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
versions = client.search_model_versions("name = 'digits'")
runs = mlflow.search_runs(search_all_experiments=True, filter_string="tags.kind = 'graph'", output_format="list")
print(json.dumps({
    "aliases": client.get_registered_model("digits").aliases,
    "versions": {version.version: version.tags for version in versions},
    "runs": [[run.info.status, run.data.tags] for run in runs],
}))
"""


def test_experiments_in_copies_register_in_the_workspace_and_move_no_alias(reproduced_workspace: Workspace) -> None:
    workspace = reproduced_workspace
    workspace.must("dvc", "add", "-q", "data/raw/digits")
    workspace.must("git", "add", "-A")
    workspace.must("git", "commit", "-q", "-m", "reproduced")
    before = (workspace.root / "reports" / "registration.json").read_bytes()

    said = workspace.must("dvc", "exp", "run", "--temp", "--name", "narrow", "-S", "evaluate.beam_size=1")
    assert "register" in executed_stages(said)
    workspace.must("dvc", "exp", "run", "--queue", "--name", "wide", "-S", "evaluate.beam_size=3")
    workspace.must("dvc", "queue", "start")

    def is_over() -> bool:
        return not set(workspace.must("dvc", "queue", "status").split()) & {"Queued", "Running"}

    wait_until(is_over, "the end of the queue", pause=3.0)  # the command takes a second of the processor
    try:
        assert "Success" in workspace.must("dvc", "queue", "status"), workspace.must("dvc", "queue", "logs", "wide")
    finally:
        workspace.must("dvc", "queue", "stop")

    records = json.loads(workspace.run("python", "-c", LIST_RECORDS).stdout)
    assert records["aliases"] == {"champion": 1}
    for version, name in (("2", "narrow"), ("3", "wide")):
        tags = records["versions"][version]
        assert (tags["decision"], tags["dvc_experiment"]) == ("experiment", name)
        (run,) = [run for run in records["runs"] if run[1].get("dvc_experiment") == name]
        assert (run[0], run[1]["workspace"], run[1]["model_version"]) == ("FINISHED", str(workspace.root), version)
    assert (workspace.root / "reports" / "registration.json").read_bytes() == before
    assert not workspace.must("git", "status", "--short")
    assert not list((workspace.root / ".dvc" / "tmp" / "exps").rglob("mlflow.db"))
    assert not list((workspace.root / ".dvc" / "tmp" / "exps").glob("tmp*"))
