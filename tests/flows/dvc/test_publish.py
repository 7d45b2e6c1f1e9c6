from __future__ import annotations

from pathlib import Path

import pytest

from flows.dvc.git_command import GitRefused
from flows.dvc.publish import check_branch, commit_lock, uncommitted_files
from seq2seq_core.errors import UserError
from tests.flows.conftest import run_in

SOURCES = ("data/raw/toy.dvc",)
BRANCH = "retrained"


@pytest.fixture(params=["", "sub/workspace"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A workspace with one commit: the whole repository, or a folder in it."""
    run_in(tmp_path, "git", "init", "-q", "-b", "main")
    run_in(tmp_path, "git", "config", "user.name", "Tester")
    run_in(tmp_path, "git", "config", "user.email", "tester@example.org")
    root = tmp_path / str(request.param)
    (root / "data" / "raw").mkdir(parents=True)
    (root / "data" / "raw" / "toy.dvc").write_text("outs: 1\n")
    (root / "dvc.lock").write_text("lock 1\n")
    (root / "params.yaml").write_text("seed: 1\n")
    commit_all(root, "start")
    return root


def commit_all(root: Path, message: str) -> str:
    run_in(root, "git", "add", "-A")
    run_in(root, "git", "commit", "-q", "-m", message)
    return run_in(root, "git", "rev-parse", "HEAD")


def content(root: Path, name: str) -> str:
    return run_in(root, "git", "show", f"{BRANCH}:./{name}")


def test_the_lock_file_goes_to_the_branch_and_nothing_of_the_users_moves(root: Path) -> None:
    (root / "dvc.lock").write_text("lock 2\n")
    (root / "reports").mkdir()
    (root / "reports" / "registration.json").write_text("{}\n")
    (root / "data" / "raw" / "toy.dvc").write_text("outs: 2\n")
    (root / "params.yaml").write_text("seed: 2\n")
    (root / "staged.txt").write_text("staged\n")
    run_in(root, "git", "add", "staged.txt")
    (root / "loose.txt").write_text("loose\n")
    before = run_in(root, "git", "status", "--porcelain=v2", "--branch")

    assert commit_lock(root, BRANCH, SOURCES, "retrain: brave-otter").startswith(
        f"branch {BRANCH}: committed dvc.lock, reports/registration.json, data/raw/toy.dvc as "
    )
    assert run_in(root, "git", "status", "--porcelain=v2", "--branch") == before
    assert (content(root, "dvc.lock"), content(root, "data/raw/toy.dvc"), content(root, "params.yaml")) == (
        "lock 2",
        "outs: 2",
        "seed: 1",
    )
    assert run_in(root, "git", "ls-tree", "-r", "--name-only", BRANCH).splitlines() == [
        "data/raw/toy.dvc",
        "dvc.lock",
        "params.yaml",
        "reports/registration.json",
    ]
    assert run_in(root, "git", "log", "-1", "--format=%s", BRANCH) == "retrain: brave-otter"
    assert run_in(root, "git", "rev-parse", f"{BRANCH}^") == run_in(root, "git", "rev-parse", "HEAD")
    assert uncommitted_files(root, SOURCES) == ["params.yaml", "staged.txt"]
    assert commit_lock(root, BRANCH, SOURCES, "again") == f"branch {BRANCH}: nothing new to commit"


def test_a_branch_that_lacks_commits_of_head_gets_them(root: Path) -> None:
    (root / "dvc.lock").write_text("lock 2\n")
    commit_lock(root, BRANCH, SOURCES, "first")
    first = run_in(root, "git", "rev-parse", BRANCH)
    (root / "params.yaml").write_text("seed: 3\n")
    (root / "dvc.lock").write_text("lock 2, by hand\n")
    head = commit_all(root, "new seed, with a lock file that conflicts with the branch's")
    (root / "dvc.lock").write_text("lock 3\n")
    commit_lock(root, BRANCH, SOURCES, "second")
    assert (content(root, "dvc.lock"), content(root, "params.yaml")) == ("lock 3", "seed: 3")
    assert run_in(root, "git", "rev-parse", f"{BRANCH}^1", f"{BRANCH}^2").split() == [first, head]


def test_a_branch_on_which_others_changed_the_same_file_is_for_a_person(root: Path) -> None:
    commit_all_on_branch(root, "params.yaml", "seed: 4\n")
    (root / "params.yaml").write_text("seed: 5\n")
    commit_all(root, "another seed")
    (root / "dvc.lock").write_text("lock 2\n")
    before = run_in(root, "git", "rev-parse", BRANCH)
    with pytest.raises(UserError) as caught:
        commit_lock(root, BRANCH, SOURCES, "x")
    name = run_in(root, "git", "rev-parse", "--show-prefix") + "params.yaml"
    assert str(caught.value) == f"the branch to commit on and HEAD have both changed {name}: merge them by hand first"
    assert run_in(root, "git", "rev-parse", BRANCH) == before


def commit_all_on_branch(root: Path, name: str, text: str) -> None:
    run_in(root, "git", "checkout", "-q", "-b", BRANCH)
    (root / name).write_text(text)
    commit_all(root, "on the branch")
    run_in(root, "git", "checkout", "-q", "main")


@pytest.mark.parametrize("name", ["main", "two words", "-x", "a..b"])
def test_a_branch_that_cannot_be_committed_on_is_refused_beforehand(name: str, root: Path) -> None:
    with pytest.raises(UserError) as caught:
        check_branch(root, name)
    expected = (
        "must be a branch that is not checked out, got 'main', which is"
        if name == "main"
        else f"must be a name that git accepts for a branch, got {name!r}"
    )
    assert str(caught.value) == f"runtime.flow.publish.commit_branch: {expected}"
    check_branch(root, BRANCH)


def test_without_a_commit_there_is_nothing_to_build_on(tmp_path: Path) -> None:
    run_in(tmp_path, "git", "init", "-q", "-b", "main")
    (tmp_path / "dvc.lock").write_text("lock\n")
    with pytest.raises(GitRefused, match=r"^git rev-parse --verify HEAD\^\{commit\}: fatal: Needed a single revision$"):
        commit_lock(tmp_path, BRANCH, (), "x")
