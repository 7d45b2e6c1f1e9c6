"""Whether DVC can work in a workspace: it needs its own folder, and git unless it is told to do without."""

from __future__ import annotations

import os
from pathlib import Path

from flows.dvc.command import Dvc
from seq2seq_core.errors import UserError


def check_repository(dvc: Dvc) -> None:
    """Checks that the workspace is in a DVC repository, and in a git repository or set up to work without one.

    Args:
        dvc: the workspace's DVC.

    Raises:
        UserError: it is not; the message says what to run.
    """
    if not any((folder / ".dvc").is_dir() for folder in (dvc.root, *dvc.root.parents)):
        init = how_to_init(dvc.root)
        raise UserError(f"{dvc.root}: no folder .dvc here or above, so that DVC cannot work; `{init}` makes it")
    if not has_git(dvc.root) and not _works_without_git(dvc):
        raise UserError(
            f"{dvc.root}: no git repository here or above, as after the download of a ZIP file, and DVC refuses to work. "
            "`git init && git add -A && git commit -m start` makes one, so that every model names the code that made it; "
            "`dvc config --local core.no_scm true` lets DVC work without git"
        )


def how_to_init(root: Path) -> str:
    """The command that makes a DVC repository of a folder; in a folder of a git repository that is another one than at its top.

    Args:
        root: the folder.
    """
    if not has_git(root):
        return "git init && dvc init"
    return "dvc init" if (root / ".git").exists() else "dvc init --subdir"


def has_git(root: Path) -> bool:
    """Whether a workspace is in a git repository.

    Args:
        root: the workspace.
    """
    return "GIT_DIR" in os.environ or any((folder / ".git").exists() for folder in (root, *root.parents))


def _works_without_git(dvc: Dvc) -> bool:
    """Whether DVC is configured not to look for git."""
    return "core.no_scm=true" in dvc.ask(["config", "--list"]).lower().splitlines()
