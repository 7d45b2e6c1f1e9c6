"""An upgrade of a workspace's files to the installed version: a merge of three texts for each file, shown before it is written."""

from __future__ import annotations

import difflib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flows.dvc.git_command import GitRefused, git, run_git
from flows.workspaces.workspace_files import managed_files
from flows.workspaces.workspace_record import RECORD_FILE, WorkspaceRecord, read_record, write_record
from seq2seq_core import __version__, atomic
from seq2seq_core.errors import UserError

MERGE_FAILED = 128
"""The least exit code of ``git merge-file`` that is no number of conflicts."""
SHOWN_CHANGES = 5


@dataclass(frozen=True)
class FileUpgrade:
    """What an upgrade does to one file.

    Attributes:
        name: the file, from the workspace.
        before: its text now; empty where there is none.
        after: its text after the upgrade.
        has_conflict: whether the workspace and the new version have changed the same lines; ``after`` then holds git's marks.
    """

    name: str
    before: str
    after: str
    has_conflict: bool = False

    def difference(self) -> str:
        """The change as a unified diff."""
        old, new = (text.splitlines(keepends=True) for text in (self.before, self.after))
        lines = difflib.unified_diff(old, new, f"{self.name} (now)", f"{self.name} ({__version__})")
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


@dataclass(frozen=True)
class WorkspaceUpgrade:
    """An upgrade that has been worked out, and not written.

    Attributes:
        version: the version that the workspace belongs to.
        changes: of the files that change.
        notes: lines about files that the upgrade leaves alone.
    """

    version: str
    changes: list[FileUpgrade]
    notes: list[str]


def plan_upgrade(root: Path) -> WorkspaceUpgrade:
    """Works out an upgrade; writes nothing.

    Args:
        root: the workspace.

    Raises:
        UserError: the workspace was not made by ``s2s init``, git is missing around it, or it has changes that are in no commit.
    """
    record = read_record(root)
    if record is None:
        raise UserError(
            f"{root}: has no {RECORD_FILE}; expected a workspace of `s2s init`. In a clone, `git merge` brings a new version"
        )
    _check_clean(root)
    changes, notes = [], []
    for name, new in managed_files().items():
        place, base = root / name, record.files.get(name)
        if base is not None and not place.exists():
            notes += [f"{name}: was deleted here, and stays so"]
            continue
        now = place.read_text(encoding="utf-8") if place.exists() else ""
        upgrade = _merge(name, now, base or "", new, record)
        if upgrade.after != now or not place.exists():
            changes.append(upgrade)
    return WorkspaceUpgrade(record.version, changes, notes)


def write_upgrade(root: Path, upgrade: WorkspaceUpgrade) -> None:
    """Writes an upgrade, and records the installed version.

    Args:
        root: the workspace.
        upgrade: of it.

    Raises:
        UserError: files have conflicts, which are written with git's marks.
    """
    for change in upgrade.changes:
        atomic.write_text(root / change.name, change.after)
    write_record(root, managed_files())
    if conflicts := [change.name for change in upgrade.changes if change.has_conflict]:
        raise UserError(
            f"{', '.join(conflicts)}: changed here and by {__version__} in the same lines; both stand there now, between the marks "
            "<<<<<<< and >>>>>>>. Keep what you want and remove the marks, or go back by `git checkout .`"
        )


def _merge(name: str, now: str, base: str, new: str, record: WorkspaceRecord) -> FileUpgrade:
    """Joins the changes of the workspace and those of the new version."""
    if now in (base, new):
        return FileUpgrade(name, now, new)
    if base == new:
        return FileUpgrade(name, now, now)
    with tempfile.TemporaryDirectory(prefix="s2s-upgrade-") as folder:
        texts = {"now": now, "base": base, "new": new}
        for kind, text in texts.items():
            (Path(folder) / kind).write_text(text, encoding="utf-8")
        labels = ["-L", "this workspace", "-L", f"seq2seq-flows {record.version}", "-L", f"seq2seq-flows {__version__}"]
        merged = run_git(Path(folder), ["merge-file", "-p", *labels, *texts])
    if merged.returncode < 0 or merged.returncode >= MERGE_FAILED:
        raise GitRefused(f"git merge-file: {merged.stderr.strip()}")
    return FileUpgrade(name, now, merged.stdout, has_conflict=merged.returncode > 0)


def _check_clean(root: Path) -> None:
    """Checks that every change is in a commit, so that git has the way back."""
    try:
        changed = git(root, "status", "--porcelain", "--", ".").splitlines()
    except GitRefused as refused:
        raise UserError(f"{root}: expected a git repository, which has the way back from an upgrade ({refused})") from None
    if changed:
        listed = ", ".join(line.strip().partition(" ")[2].strip() for line in changed[:SHOWN_CHANGES])
        more = f" and {len(changed) - SHOWN_CHANGES} more" if len(changed) > SHOWN_CHANGES else ""
        raise UserError(
            f"{root}: has changes that are in no commit: {listed}{more}; commit them first, so that git has the way back"
        )
