from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import launch
from flows.dvc.command import Dvc
from flows.dvc.repository import check_repository
from seq2seq_core.errors import UserError
from tests.flows.conftest import ToyWorkspace, run_in

Make = Callable[..., ToyWorkspace]


def test_without_git_a_retrain_says_before_any_server_starts_what_to_run(
    make_workspace: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def start(*_: object) -> None:
        pytest.fail("a server was started")

    workspace = make_workspace()
    shutil.rmtree(workspace.root / ".git")
    monkeypatch.setattr(launch, "prefect_server", start)
    with pytest.raises(UserError) as caught:
        launch.run_retrain(workspace.root)
    assert str(caught.value) == (
        f"{workspace.root}: no git repository here or above, as after the download of a ZIP file, and DVC refuses to work. "
        "`git init && git add -A && git commit -m start` makes one, so that every model names the code that made it; "
        "`dvc config --local core.no_scm true` lets DVC work without git"
    )
    run_in(workspace.root, "dvc", "config", "--local", "core.no_scm", "true")
    check_repository(Dvc(workspace.root))
    run_in(workspace.root, "dvc", "status")
    (workspace.root / ".dvc" / "config.local").unlink()
    run_in(workspace.root, "git", "init", "-q")
    check_repository(Dvc(workspace.root))
    run_in(workspace.root, "dvc", "status")


def test_without_the_folder_of_dvc_the_command_that_makes_it_is_named(tmp_path: Path) -> None:
    (below := tmp_path / "below").mkdir()
    for made, root, command in (
        (None, tmp_path, "git init && dvc init"), (".git", tmp_path, "dvc init"), (None, below, "dvc init --subdir")
    ):  # fmt: skip
        if made:
            (tmp_path / made).mkdir()
        with pytest.raises(UserError) as caught:
            check_repository(Dvc(root))
        assert str(caught.value) == f"{root}: no folder .dvc here or above, so that DVC cannot work; `{command}` makes it"
