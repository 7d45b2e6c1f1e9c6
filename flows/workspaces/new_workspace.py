"""A new workspace for an installed package: settings, graph and deployments, in git and DVC, without any code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flows.dvc.command import Dvc, refusal
from flows.dvc.git_command import git, run_git
from flows.workspaces.workspace_files import first_settings, managed_files
from flows.workspaces.workspace_record import RECORD_FILE, write_record
from seq2seq_core import atomic
from seq2seq_core.artifacts import PARAMS_FILE
from seq2seq_core.errors import UserError

CORPORA = "data/raw/.gitkeep"
IGNORED = ".gitignore"
DVC_CONFIG = """\
[core]
    analytics = false
    check_update = false
"""


def make_workspace(folder: Path, log: Callable[[str], None]) -> None:
    """Writes a workspace; nothing is written where one of its files is there already, ``.gitignore`` left out.

    Args:
        folder: new, empty, or with other files than those of a workspace.
        log: receives a line about each step.

    Raises:
        UserError: a file is in the way, or git or DVC refuses.
        EnvironmentFault: git is not installed.
    """
    files = {**managed_files(), PARAMS_FILE: first_settings(), CORPORA: ""}
    _check(folder, files)
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    top = _find_top(root)
    if top is None:
        git(root, "init", "--quiet")
        log(f"{root}: a git repository")
    for name, text in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(place, _with_lines_of(place, text) if name == IGNORED else text)
    write_record(root, managed_files())
    log(f"{root}: {', '.join(sorted((*files, RECORD_FILE)))}")
    if not (root / ".dvc").is_dir():
        arguments = ["init", "--quiet", *(["--subdir"] if top not in (None, root) else [])]
        result = Dvc(root).run(arguments, log)
        if result.exit_code != 0:
            raise refusal(arguments, result)
        (root / ".dvc" / "config").write_text(DVC_CONFIG, encoding="utf-8")
        log(f"{root}: a DVC repository")


def _check(folder: Path, files: dict[str, str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; expected a folder, or a place for one")
    if (folder / RECORD_FILE).exists():
        raise UserError(f"{folder}: is a workspace already; `s2s upgrade` brings its files to the installed version")
    if present := [name for name in files if name not in (IGNORED, CORPORA) and (folder / name).exists()]:
        raise UserError(f"{folder}: has {', '.join(present)} already; expected a folder without the files of a workspace")


def _find_top(root: Path) -> Path | None:
    """The top of the git repository around a folder; None where there is none."""
    found = run_git(root, ["rev-parse", "--show-toplevel"])
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def _with_lines_of(place: Path, text: str) -> str:
    """A file's own text with the lines that it lacks."""
    if not place.is_file():
        return text
    own = place.read_text(encoding="utf-8")
    own += "" if own.endswith("\n") or not own else "\n"
    return own + "".join(line for line in text.splitlines(keepends=True) if line.strip() not in own.splitlines())
