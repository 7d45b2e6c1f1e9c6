from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flows.dvc.command import BusyLines, Dvc, error_text, is_advice, refusal
from flows.dvc.locks import clear_dead_locks
from flows.graph.stage_graph import read_status
from flows.processes.supervised import CommandResult
from flows.processes.workspace_lock import workspace_lock
from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import Interrupted, UserError, WorkspaceBusy
from tests.flows.conftest import ToyWorkspace
from tests.flows.waiting import wait_until

if TYPE_CHECKING:
    from flows.reports.summary import RetrainSummary


def holder(pid: int) -> dict[str, object]:
    return {"pid": pid, "cmd": f"dvc {pid}"}


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    return tmp_path / ".dvc" / "tmp" / "rwlock"


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_locks_of_the_dead_are_released_and_those_of_the_living_kept(listing: Path, dead_pid: int) -> None:
    living = os.getpid()
    listing.write_text(
        json.dumps(
            {"write": {"/a": holder(dead_pid)}, "read": {"/b": [holder(dead_pid), holder(living)], "/c": [holder(dead_pid)]}}
        )
    )
    assert clear_dead_locks(listing.parents[2]) == [f"released the DVC locks of process {dead_pid}, which is dead (dvc {dead_pid})"]
    assert json.loads(listing.read_text()) == {"write": {}, "read": {"/b": [holder(living)]}}
    assert clear_dead_locks(listing.parents[2]) == []


def test_a_process_younger_than_its_entry_did_not_make_it(listing: Path) -> None:
    listing.write_text(json.dumps({"write": {"/a": holder(os.getpid())}, "read": {}}))
    os.utime(listing, (0, 0))
    assert len(clear_dead_locks(listing.parents[2])) == 1
    assert json.loads(listing.read_text()) == {"write": {}, "read": {}}


def test_a_list_that_a_kill_left_half_written_is_removed(listing: Path) -> None:
    listing.write_text('{"write": {"/a"')
    assert clear_dead_locks(listing.parents[2] / "sub") == [f"removed {listing}: a killed DVC process had left it half-written"]
    assert not listing.exists()
    assert clear_dead_locks(listing.parents[2]) == []


def test_a_stage_that_another_dvc_process_runs_makes_the_workspace_busy(make_workspace: Callable[..., ToyWorkspace]) -> None:
    workspace = make_workspace({"prepare": ()})
    held = {"write": {str(workspace.root / "out" / "prepare"): holder(os.getpid())}, "read": {}}
    (workspace.root / ".dvc" / "tmp").mkdir(exist_ok=True)
    (workspace.root / ".dvc" / "tmp" / "rwlock").write_text(json.dumps(held))
    with pytest.raises(
        WorkspaceBusy,
        match=rf"^another DVC process works here: .* is busy, it is being blocked by:\n\s*\(PID {os.getpid()}\): dvc \d+$",
    ):
        read_status(Dvc(workspace.root))


class _OnLine(logging.Filter):
    """Acts on the first line with a word."""

    def __init__(self, word: str, act: Callable[[], None]) -> None:
        super().__init__()
        self.word, self.act = word, act

    def filter(self, record: logging.LogRecord) -> bool:
        if self.word in record.getMessage():
            self.act()
        return True


@pytest.mark.proof
@pytest.mark.slow
def test_a_retrain_waits_for_a_dvc_command_that_runs_here_and_then_does_what_is_left(
    make_workspace: Callable[..., ToyWorkspace], retrain: Callable[..., RetrainSummary]
) -> None:
    workspace = make_workspace()
    workspace.behave("train", "wait_for:go")
    by_hand = subprocess.Popen([sys.executable, "-m", "dvc", "repro"], cwd=workspace.root, stdout=subprocess.DEVNULL)
    wait_until((workspace.root / ".s2s" / "waiting").exists, "the stage train")
    (workspace.root / ".s2s" / "waiting").unlink()
    on_wait = _OnLine("waiting up to", (workspace.root / ".s2s" / "go").touch)
    logging.getLogger("prefect.flow_runs").addFilter(on_wait)
    try:
        summary = retrain(workspace)
    finally:
        logging.getLogger("prefect.flow_runs").removeFilter(on_wait)
    assert by_hand.wait() == 0
    assert summary.failure is None
    assert f"waiting up to 1 h 00 min for process {by_hand.pid} (dvc repro) to end" in summary.notes
    assert len(workspace.executions("train")) == 1


def test_a_report_of_a_lock_is_held_back_but_never_a_stages_own_words() -> None:
    busy = "ERROR: '/a' is busy, it is being blocked by:"
    said: list[str] = []
    lines = BusyLines(said.append)
    for line in ("first", busy, "  (PID 7): dvc repro"):
        lines(line)
    assert (said, lines.held) == (["first"], [busy, "  (PID 7): dvc repro"])
    lines.release()
    assert said == ["first", busy, "  (PID 7): dvc repro"]

    of_stage: list[str] = []
    lines = BusyLines(of_stage.append)
    spoken = ["Running stage 'train':", "> python train.py", "Unable to acquire lock", busy, "ERROR: failed to reproduce 'train'"]
    for line in spoken:
        lines(line)
    assert (of_stage, lines.held) == (spoken, [])


def test_only_one_can_hold_a_workspace(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    with workspace_lock(paths), pytest.raises(WorkspaceBusy) as caught, workspace_lock(paths):
        pass
    assert (
        str(caught.value)
        == f"{tmp_path}: a retrain is already running here (process {os.getpid()}); wait for it to end, or cancel it"
    )
    with workspace_lock(paths):
        pass


def test_a_lock_that_outlives_its_process_says_so(tmp_path: Path, dead_pid: int) -> None:
    paths = Paths(tmp_path)
    with workspace_lock(paths) as descriptor:
        os.pwrite(descriptor, str(dead_pid).encode().ljust(8, b"\n"), 0)
        os.ftruncate(descriptor, len(str(dead_pid)))
        with pytest.raises(WorkspaceBusy) as caught, workspace_lock(paths):
            pass
    assert str(caught.value) == (
        f"{tmp_path}: the retrain of process {dead_pid} was killed here and its stages are still being stopped; "
        "try again in a few seconds"
    )


def test_dvcs_own_message_is_found_in_its_output() -> None:
    lines = [
        "Running stage 'train':",
        "> s2s train",
        "ERROR: failed to reproduce 'train': it",
        "is broken",
        "",
        "\tgit add dvc.lock",
    ]
    assert error_text(lines) == "failed to reproduce 'train': it\nis broken"
    assert error_text(["'./dvc.yaml' is invalid.", "line 3"]) == "'./dvc.yaml' is invalid.\nline 3"
    assert error_text([]) == "it failed without a message"
    assert [
        is_advice(line) for line in ("\tgit add dvc.lock", "Use `dvc push` to send your updates to remote storage.", "done")
    ] == [
        True,
        True,
        False,
    ]


def test_a_question_that_was_cancelled_is_no_fault_of_the_user() -> None:
    stopped = refusal(["status"], CommandResult(143, (), 1.0, "cancellation"))
    assert isinstance(stopped, Interrupted)
    assert str(stopped) == "dvc status: stopped by cancellation"
    refused = refusal(["status"], CommandResult(255, ("ERROR: no",), 1.0, "itself"))
    assert isinstance(refused, UserError)
    assert str(refused) == "dvc status: no"
