"""Stages on a work pool: workers in folders of their own, with a clone each and a DVC remote between them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flows.dvc.command import Dvc
from flows.graph.outputs_elsewhere import forgive_missing
from flows.graph.stage_graph import read_status
from flows.machines.pool_deployment import setup_stage_pools
from seq2seq_core.config.settings import load_settings
from seq2seq_core.dvc_files import read_lock
from tests.flows.conftest import ToyWorkspace, run_in
from tests.flows.machines.workers import Worker
from tests.flows.waiting import wait_until

if TYPE_CHECKING:
    from flows.reports.summary import RetrainSummary


@pytest.fixture
def start_worker(prefect_api: str, tmp_path: Path) -> Iterator[Callable[[str, str], Worker]]:
    """Starts workers of a pool; what is left of them is killed in the end."""
    workers: list[Worker] = []

    def start(name: str, pool: str) -> Worker:
        workers.append(Worker(tmp_path / name, pool, {"PREFECT_API_URL": prefect_api}))
        workers[-1].start()
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()


def on_pool(workspace: ToyWorkspace, behaviour: str = "", **pools: Any) -> str:
    """Gives the stage ``train`` to a new pool, with a remote for the data and one for the code; returns the pool's name."""
    root, pool = workspace.root, f"pool-{uuid.uuid4().hex[:8]}"
    run_in(root, "dvc", "remote", "add", "-q", "-d", "store", str(root.parent / "store"))
    workspace.set_flow(stages={"train": {"pool": pool, "retries": 4}}, pools={"lost_after_seconds": 30.0, **pools})
    if behaviour:
        workspace.behave("train", behaviour)
        run_in(root, "git", "add", "-f", "behaviour")
    run_in(root, "git", "add", "-A")
    run_in(root, "git", "commit", "-q", "-m", "on a pool")
    run_in(root, "git", "clone", "-q", "--bare", str(root), str(root.parent / "code.git"))
    run_in(root, "git", "remote", "add", "origin", f"file://{root.parent / 'code.git'}")
    setup_stage_pools(load_settings(workspace.paths.params))
    return pool


@pytest.mark.proof
def test_a_stage_whose_worker_dies_runs_on_another_one_and_leaves_the_lock_of_one_workspace(
    make_workspace: Callable[..., ToyWorkspace],
    retrain: Callable[..., RetrainSummary],
    start_worker: Callable[[str, str], Worker],
) -> None:
    workspace, alone = make_workspace(name="workspace"), make_workspace(name="alone")
    pool = on_pool(workspace, "wait_for:go")
    north, south = start_worker("north", pool), start_worker("south", pool)

    def kill_the_first() -> None:
        wait_until(lambda: north.has(".s2s/waiting") or south.has(".s2s/waiting"), "the stage on a worker")
        first, second = (north, south) if north.has(".s2s/waiting") else (south, north)
        first.kill()
        wait_until(lambda: second.has(".s2s/waiting"), "the stage on the other worker")
        (second.clone / ".s2s" / "go").touch()

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    summary = retrain(workspace)
    killer.join()
    assert summary.failure is None, (north.log, south.log)
    assert [(report.stage, report.state, report.attempts > 1) for report in summary.stages] == [
        ("prepare", "ran", False), ("train", "ran", True), ("evaluate", "ran", False),
    ]  # fmt: skip
    assert run_in(alone.root, "dvc", "repro")
    assert (workspace.root / "dvc.lock").read_bytes() == (alone.root / "dvc.lock").read_bytes()
    assert (workspace.root / "out" / "evaluate").read_bytes() == (alone.root / "out" / "evaluate").read_bytes()
    assert workspace.executions("train") == []

    # Where the output is only in the remote, nothing is stale.
    digest = read_lock(workspace.root)["train"]["outs"][0]["md5"]
    (workspace.root / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]).unlink()
    (workspace.root / "out" / "train").unlink()
    lock = read_lock(workspace.root)
    status = read_status(Dvc(workspace.root), forgive=lambda answer: forgive_missing(answer, lock, {"train"}))
    assert (dict(status.changes), dict(status.missing_inputs)) == ({}, {})
