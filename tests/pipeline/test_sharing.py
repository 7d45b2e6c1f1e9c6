"""Results shared with another clone by ``dvc push`` and git."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from tests.pipeline.conftest import ROOT, Workspace, executed_stages

pytestmark = pytest.mark.slow


def test_a_second_clone_gets_everything_and_runs_nothing(reproduced_workspace: Workspace) -> None:
    first = reproduced_workspace
    first.must("dvc", "add", "-q", "data/raw/digits")
    first.must("dvc", "remote", "add", "-q", "-d", "team", str(first.root.parent / "team"))
    first.must("git", "add", "-A")
    first.must("git", "commit", "-q", "-m", "reproduced")
    first.must("dvc", "push", "-q")
    root = first.root.parent / "second"
    first.must("git", "clone", "-q", str(first.root), str(root))
    second = replace(first, root=root, environment={**first.environment, "PYTHONPATH": str(root)})

    second.must("dvc", "pull", "-q")
    assert executed_stages(second.must("dvc", "repro")) == []
    assert second.lock == first.lock
    assert not (root / "mlflow.db").exists()
    receipt = json.loads((root / "reports" / "registration.json").read_text(encoding="utf-8"))
    assert (receipt["version"], receipt["decision"]) == ("1", "champion")

    # The sample corpus stands in every clone's list of data, fetched or not.
    shutil.copy(ROOT / "data" / "raw" / "dates.dvc", root / "data" / "raw")
    shutil.copy(ROOT / ".dvc" / "config", root / ".dvc")
    shutil.rmtree(root / "models" / "served")
    second.must("dvc", "checkout", "-q", "--allow-missing")
    assert (root / "models" / "served" / "config.json").is_file()
    second.must("dvc", "freeze", "-q", "train")
    assert second.must("git", "diff", "-U0", "dvc.yaml").splitlines()[-1] == "+    frozen: true"
