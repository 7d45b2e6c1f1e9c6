from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.registry.versions import find_version
from seq2seq_core.tracking.mlflow.address import artifact_location
from seq2seq_core.tracking.mlflow.store import connect


def log_something(paths: Paths, text: str) -> str:
    client = connect(paths)
    experiment = client.get_experiment_by_name("tried")
    number = experiment.experiment_id if experiment else client.create_experiment("tried", artifact_location(paths))
    run = client.create_run(number)
    client.log_text(run.info.run_id, text, "note.txt")
    return str(run.info.run_id)


def read_note(paths: Paths, run_id: str) -> str:
    client = connect(paths)
    return Path(client.download_artifacts(run_id, "note.txt")).read_text()


def test_a_moved_workspace_finds_its_artifacts_and_writes_new_ones_into_itself(tracked_paths: Paths, tmp_path: Path) -> None:
    run_id = log_something(tracked_paths, "before")
    moved = Paths(tmp_path / "100% moved_ü")
    tracked_paths.root.rename(moved.root)
    assert read_note(moved, run_id) == "before"
    later = log_something(moved, "after")
    assert (moved.mlflow_artifacts / later / "artifacts" / "note.txt").read_text() == "after"
    moved_again = Paths(tmp_path / "again")
    moved.root.rename(moved_again.root)
    assert [read_note(moved_again, run) for run in (run_id, later)] == ["before", "after"]


def test_a_copied_workspace_leaves_the_originals_artifacts_alone(tracked_paths: Paths, tmp_path: Path) -> None:
    run_id = log_something(tracked_paths, "original")
    copy = Paths(tmp_path / "copy")
    shutil.copytree(tracked_paths.root, copy.root)
    log_something(copy, "of the copy")
    assert len(list(tracked_paths.mlflow_artifacts.iterdir())) == 1
    (copy.mlflow_artifacts / run_id / "artifacts" / "note.txt").write_text("changed in the copy")
    assert read_note(copy, run_id) == "changed in the copy"
    assert read_note(tracked_paths, run_id) == "original"


def test_an_experiment_with_artifacts_elsewhere_keeps_them_there(tracked_paths: Paths, tmp_path: Path) -> None:
    elsewhere = (tmp_path / "elsewhere").as_uri()
    connect(tracked_paths).create_experiment("elsewhere", elsewhere)
    moved = Paths(tmp_path / "moved")
    tracked_paths.root.rename(moved.root)
    found = connect(moved).get_experiment_by_name("elsewhere")
    assert found is not None
    assert found.artifact_location == elsewhere


def test_plain_mlflow_finds_the_model_of_a_moved_workspace_after_one_command_of_ours(
    registered_paths: Paths, tmp_path: Path
) -> None:
    moved = Paths(tmp_path / "moved")
    registered_paths.root.rename(moved.root)
    find_version("models:/dates@champion", moved)  # what `s2s serve` does first
    code = "import mlflow; print(mlflow.artifacts.download_artifacts('models:/dates@champion'))"
    environment = {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=moved.root, env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(moved.mlflow_artifacts)
