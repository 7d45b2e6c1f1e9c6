from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from seq2seq_core.dvc_files import read_lock
from seq2seq_core.tracking.runs.lineage import git_state, upstream_digests

GRAPH = {
    "stages": {
        "prepare": {"cmd": "s2s prepare", "deps": ["${corpus.path}", "seq2seq_core/corpus"], "outs": ["data/prepared"]},
        "train": {"cmd": "s2s train", "deps": ["data/prepared"], "outs": ["models/bundle"]},
        "evaluate": {"cmd": "s2s evaluate", "deps": ["models/bundle", "data/prepared"]},
        "other": {"cmd": "other", "deps": ["data/raw/dates"], "outs": ["other.txt"]},
    }
}
LOCK = {
    "schema": "2.0",
    "stages": {
        "prepare": {
            "cmd": "s2s prepare",
            "deps": [
                {"path": "data/raw/dates", "hash": "md5", "md5": "aaa.dir"},
                {"path": "seq2seq_core/corpus", "hash": "md5", "md5": "code.dir"},
            ],
            "outs": [{"path": "data/prepared", "hash": "md5", "md5": "bbb.dir"}],
        },
        "train": {"deps": [{"path": "data/prepared", "md5": "bbb.dir"}], "outs": [{"path": "models/bundle", "md5": "ccc.dir"}]},
        "other": {"deps": [{"path": "data/raw/dates", "md5": "aaa.dir"}], "outs": [{"path": "other.txt", "md5": "ddd"}]},
    },
}


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(GRAPH))
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(LOCK))
    return tmp_path


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    return subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def test_a_stage_that_never_ran_knows_the_digests_of_all_upstream_and_of_the_data_that_entered(graph: Path) -> None:
    assert upstream_digests(graph, "evaluate") == {
        "lock.data.data/raw/dates": "aaa.dir",
        "lock.prepare.data/prepared": "bbb.dir",
        "lock.train.models/bundle": "ccc.dir",
    }


def test_a_stages_own_outputs_are_not_upstream(graph: Path) -> None:
    assert upstream_digests(graph, "train") == {"lock.data.data/raw/dates": "aaa.dir", "lock.prepare.data/prepared": "bbb.dir"}


def test_the_first_stage_has_only_the_data(graph: Path) -> None:
    assert upstream_digests(graph, "prepare") == {"lock.data.data/raw/dates": "aaa.dir"}


@pytest.mark.parametrize("content", [None, "", "[1, 2", "- a list"])
def test_without_a_readable_lock_there_is_no_lineage(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "dvc.lock").write_text(content)
    assert read_lock(tmp_path) == {}
    assert upstream_digests(tmp_path, "train") == {}


def test_a_change_of_the_code_makes_the_commit_dirty_and_a_change_of_dvc_lock_does_not(graph: Path) -> None:
    git(graph, "init", "--quiet")
    assert git_state(graph) == {}, "no commit yet"
    git(graph, "add", ".")
    git(graph, "commit", "--quiet", "-m", "first")
    commit = git(graph, "rev-parse", "HEAD")
    assert git_state(graph) == {"git_commit": commit, "git_dirty": "false"}
    (graph / "dvc.lock").write_text("changed")
    assert git_state(graph) == {"git_commit": commit, "git_dirty": "false"}
    (graph / "dvc.yaml").write_text("changed")
    assert git_state(graph) == {"git_commit": commit, "git_dirty": "true"}


def test_outside_git_or_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) == {}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == {}
