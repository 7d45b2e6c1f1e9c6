from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from flows.dvc.command import Dvc, own_words
from flows.dvc.run_cache import drop_empty_runs
from tests.flows.conftest import ToyWorkspace


def leave_empty_run(workspace: ToyWorkspace) -> Path:
    """What a DVC that was killed while it stored a run leaves, some time later."""
    (file,) = (workspace.root / ".dvc" / "cache" / "runs").glob("*/*/*")
    file.unlink()
    (workspace.root / "dvc.lock").unlink()
    os.utime(file.parent, (1, 1))
    return file.parent


def test_a_run_that_a_kill_left_empty_does_not_end_every_later_one(make_workspace: Callable[..., ToyWorkspace]) -> None:
    workspace = make_workspace({"prepare": ()})
    workspace.run("dvc", "repro", "-q")
    leave_empty_run(workspace)
    lines: list[str] = []
    assert Dvc(workspace.root).run(["repro"], lines.append).exit_code == 0, lines
    assert len(workspace.executions("prepare")) == 2


def test_only_empty_folders_are_dropped_from_the_cache_that_the_repository_names(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[cache]\n    dir = ../elsewhere\n")
    runs = tmp_path / "elsewhere" / "runs" / "ab"
    for name in ("empty", "full", "just made"):
        (runs / name).mkdir(parents=True)
    (runs / "full" / "run").touch()
    for name in ("empty", "full"):
        os.utime(runs / name, (1, 1))
    assert [folder.name for folder in drop_empty_runs(tmp_path)] == ["empty"]
    assert sorted(folder.name for folder in runs.iterdir()) == ["full", "just made"]


def test_what_a_stage_said_is_told_from_what_dvc_said() -> None:
    lines = [
        "Stage 'data' didn't change, skipping",
        "Running stage 'code':",
        "> s2s code-digests",
        "error: params.yaml: no such section",
        "ERROR: failed to reproduce 'code': failed to run: s2s code-digests, exited with 2",
    ]
    assert own_words("code", lines) == "error: params.yaml: no such section"
    assert own_words("train", lines) == ""
