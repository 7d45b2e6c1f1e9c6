from __future__ import annotations

import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable

import pytest

from flows.dvc.command import Dvc
from flows.dvc.restore import restore_outputs
from flows.reports.summary import RetrainSummary
from tests.flows.conftest import CHAIN, ToyWorkspace
from tests.flows.waiting import wait_until

Make = Callable[..., ToyWorkspace]
BACK = "train did not succeed; brought back from its last success: out/train"


@pytest.mark.proof
@pytest.mark.slow
def test_the_outputs_of_the_last_success_stay_when_a_stage_fails_or_is_cancelled(
    make_workspace: Make, retrain: Callable[..., RetrainSummary], start_retrain: Callable[[ToyWorkspace], subprocess.Popen[bytes]]
) -> None:
    workspace = make_workspace(CHAIN)
    output = workspace.root / "out" / "train"
    assert retrain(workspace).failure is None
    before = output.read_bytes()

    workspace.set_params(train={"seed": 2})
    workspace.behave("train", "user_fault")
    failed = retrain(workspace)
    assert failed.failure is not None
    assert failed.notes == (BACK,)
    assert output.read_bytes() == before

    workspace.behave("train", f"save hang:{uuid.uuid4().hex}")
    process = start_retrain(workspace)
    wait_until((workspace.root / ".s2s" / "hanging").exists, "the stage that hangs")
    assert not output.exists(), "DVC removes the outputs of a stage before it starts"
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 130
    assert output.read_bytes() == before

    workspace.behave("train", "")
    assert {report.stage: report.state for report in retrain(workspace).stages}["train"] == "ran"


def test_outputs_that_dvc_has_not_are_told_of(make_workspace: Make) -> None:
    workspace = make_workspace(CHAIN)
    dvc = Dvc(workspace.root)
    assert restore_outputs(dvc, ["train"], print) == [], "it never succeeded"
    workspace.run("dvc", "repro", "-q", "train")
    assert restore_outputs(dvc, ["train"], print) == [], "nothing is missing"
    (workspace.root / "out" / "train").unlink()
    shutil.rmtree(workspace.root / ".dvc" / "cache")
    (line,) = restore_outputs(dvc, ["train"], print)
    assert line.startswith("train did not succeed, and its last outputs cannot be brought back: ")
