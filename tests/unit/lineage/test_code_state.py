from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seq2seq_core.lineage.code_state import read_code_state


def git(root: Path, *arguments: str) -> str:
    own = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(["git", *own, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository" / "inner"
    (root / "reports").mkdir(parents=True)
    (root / "code.py").write_text("a = 1\n")
    (root / "picture.png").write_bytes(bytes(range(256)))
    (root / "dvc.lock").write_text("old\n")
    git(root.parent, "init", "-q")
    git(root.parent, "config", "diff.noprefix", "true")
    git(root.parent, "add", "-A")
    git(root.parent, "commit", "-q", "-m", "first")
    return root


def test_a_clean_tree_has_a_commit_and_no_patch_whatever_the_runs_wrote(root: Path) -> None:
    (root / "dvc.lock").write_text("new\n")
    (root / "notes.txt").write_text("not code")
    state = read_code_state(root)
    assert (state.commit, state.folder, state.patch, state.lack) == (git(root, "rev-parse", "HEAD").strip(), "inner", "", "")
    assert state.summary()["is_dirty"] is False


def test_the_patch_makes_the_same_tree_in_a_clone(root: Path, tmp_path: Path) -> None:
    (root / "code.py").write_text("a = 2\n")
    (root / "picture.png").write_bytes(bytes(range(255, -1, -1)))
    (root / "new_metric.py").write_text("b = 3\n")
    before = git(root, "status", "--porcelain")
    state = read_code_state(root)
    assert git(root, "status", "--porcelain") == before
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(root.parent), str(clone))
    (tmp_path / "dirty.patch").write_bytes(state.patch.encode("utf-8", "surrogateescape"))
    git(clone, "apply", "--binary", str(tmp_path / "dirty.patch"))
    for name in ("code.py", "picture.png", "new_metric.py"):
        assert (clone / "inner" / name).read_bytes() == (root / name).read_bytes()


def test_a_secret_in_the_changes_is_not_kept_and_the_patch_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_PASSWORD", "s3cret-w0rd")
    (root / "code.py").write_text("password = 's3cret-w0rd'\n")
    state = read_code_state(root)
    assert "s3cret-w0rd" not in state.patch
    assert (state.lack, state.summary()["is_dirty"]) == ("secrets in it are replaced by ***", True)


def test_outside_git_there_is_no_commit(tmp_path: Path) -> None:
    state = read_code_state(tmp_path)
    assert (state.commit, state.patch) == ("", "")
    assert state.summary()["commit"] is None
