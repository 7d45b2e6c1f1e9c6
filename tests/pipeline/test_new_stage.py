"""The stage that docs/extending.md adds: its MLflow run has its parameters and the run of the pipeline ends, by both doors."""

from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core.stage_table import STAGES
from tests.page_samples import find_recipe
from tests.pipeline.conftest import Workspace

pytestmark = pytest.mark.slow


def set_title(workspace: Workspace, title: str) -> None:
    params = workspace.root / "params.yaml"
    kept = [line for line in params.read_text(encoding="utf-8").splitlines() if not line.startswith("notes:")]
    params.write_text("\n".join([*kept, f"notes: {{title: {title}}}", ""]), encoding="utf-8")


def runs_of(workspace: Workspace) -> list[dict[str, Any]]:
    """The runs of the pipeline and of its stages, the oldest first."""
    return [
        {"id": run.info.run_id, "run": run.info.run_name, "status": run.info.status, "params": run.data.params,
         "parent": run.data.tags.get("mlflow.parentRunId")}
        for run in workspace.store.search_runs(["1"], order_by=["attributes.start_time ASC"])
    ]  # fmt: skip


@pytest.mark.proof
def test_a_stage_after_register_has_its_parameters_and_the_parent_run_ends(
    reproduced_workspace: Workspace, prefect_api: str
) -> None:
    workspace = reproduced_workspace
    before = runs_of(workspace)
    for edit in find_recipe("A stage").edits:
        if not edit.name.startswith("tests/"):
            edit.apply(workspace.root)
    set_title(workspace, "Notes")
    workspace.must("dvc", "repro")
    by_hand = runs_of(workspace)[len(before) :]
    parent = next(run for run in by_hand if run["parent"] is None)
    notes = next(run for run in by_hand if run["run"] == "notes")
    assert parent["run"] == "digits notes done"
    assert (parent["status"], notes["status"], notes["parent"]) == ("FINISHED", "FINISHED", parent["id"])
    assert (notes["params"]["notes.title"], notes["params"]["register.model_name"]) == ("Notes", "digits")

    set_title(workspace, "News")
    workspace.environment["PREFECT_API_URL"] = prefect_api
    assert f"1 of {len(STAGES)} stages ran" in workspace.must("s2s", "retrain")
    parent, notes = runs_of(workspace)[len(before) + len(by_hand) :]
    assert parent["run"] == "digits notes done"
    assert (parent["status"], notes["status"], notes["parent"]) == ("FINISHED", "FINISHED", parent["id"])
    assert notes["params"]["notes.title"] == "News"
    assert (workspace.root / "reports" / "notes.txt").read_text(encoding="utf-8").startswith("News: ")
