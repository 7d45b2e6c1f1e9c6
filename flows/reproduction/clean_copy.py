"""A clean copy of the repository at the commit of a version, with the changes that were in no commit."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import UserError, WorkspaceBusy
from seq2seq_core.file_lock import hold_lock
from seq2seq_core.lineage.lineage_storage import Lineage
from seq2seq_core.lineage.record_check import PATCH_FILE
from seq2seq_core.redaction.redactor import redact

LOCAL_CONFIG = ".dvc/config.local"

logger = logging.getLogger(__name__)


@contextmanager
def clean_folder(paths: Paths, into: Path | None) -> Iterator[Path]:
    """The folder for a copy: one that is removed at the end of the ``with`` block, or the given one, removed only after an error.

    Args:
        paths: the workspace; one reproduction at a time works in its ``.s2s``.
        into: a new or empty folder; None for one in ``.s2s``.

    Raises:
        WorkspaceBusy: another reproduction works here.
    """
    if into is not None:
        try:
            into.mkdir(parents=True, exist_ok=True)
            yield into.resolve()
        except BaseException:
            shutil.rmtree(into, ignore_errors=True)
            raise
        return
    room = paths.work / "reproduction"
    with hold_lock(paths.work / "reproduction.lock", lambda pid: WorkspaceBusy(f"process {pid} reproduces a version here already")):
        shutil.rmtree(room, ignore_errors=True)  # what a killed run left
        try:
            room.mkdir(parents=True)
            yield room.resolve()
        finally:
            shutil.rmtree(room, ignore_errors=True)


def check_out(lineage: Lineage, patch: str, paths: Paths, folder: Path) -> Paths:
    """Copies the repository at the version's commit into a folder, and applies the changes that were in no commit.

    Args:
        lineage: of the version.
        patch: the changes; empty: none.
        paths: the workspace, whose repository is copied without its working tree.
        folder: an empty folder.

    Returns:
        The workspace in the copy.

    Raises:
        UserError: the version was made outside git, this repository lacks the commit, or the changes cannot be applied.
    """
    code = lineage.record["code"]
    commit = code.get("commit")
    if not commit:
        raise UserError(f"{lineage.label} was registered outside git: expected a commit in its lineage, which names its code")
    if code.get("patch_sha256") and not patch:
        raise UserError(
            f"{lineage.label} had changes in no commit, and its file {PATCH_FILE} is gone; expected it with the version"
        )
    if code.get("patch_lack"):
        logger.warning("the recorded changes of the code are not complete: %s", code["patch_lack"])
    top = _git(paths.root, "rev-parse", "--show-toplevel").strip()
    _fetch_commit(paths.root, commit, lineage.label)
    # A clone that shares the objects: unlike a worktree, it leaves no entry in the repository, whatever ends this process.
    _git(paths.root, "clone", "--quiet", "--shared", "--no-checkout", top, str(folder))
    _git(folder, "checkout", "--quiet", "--detach", commit)
    if patch:
        _apply(patch, folder, lineage.label)
    copy = Paths(folder / code.get("folder", ""))
    if not (copy.root / "dvc.yaml").is_file():
        raise UserError(f"{lineage.label}: its commit {commit} has no dvc.yaml in {code.get('folder') or 'the top folder'}")
    if not any((place / ".dvc").is_dir() for place in (copy.root, *copy.root.parents) if place.is_relative_to(folder)):
        raise UserError(f"{lineage.label}: its commit {commit} has no folder .dvc, so that DVC cannot work; expected it in git")
    if (local := paths.root / LOCAL_CONFIG).is_file() and (copy.root / ".dvc").is_dir():
        shutil.copy(local, copy.root / LOCAL_CONFIG)  # the remotes' credentials
    return copy


def _fetch_commit(root: Path, commit: str, label: str) -> None:
    """Fetches a commit that the repository lacks."""
    try:
        _git(root, "cat-file", "-e", f"{commit}^{{commit}}")
    except UserError:
        try:
            _git(root, "fetch", "--quiet", "origin", commit)
        except UserError as error:
            raise UserError(
                f"{label}: this repository lacks its commit {commit}, and it cannot be fetched from origin ({error}); expected a "
                "clone that has it"
            ) from None


def _apply(patch: str, folder: Path, label: str) -> None:
    with tempfile.NamedTemporaryFile(suffix=".patch") as file:
        file.write(patch.encode("utf-8", "surrogateescape"))
        file.flush()
        try:
            _git(folder, "apply", "--binary", "--whitespace=nowarn", file.name)
        except UserError as error:
            raise UserError(f"{label}: the changes that were in no commit ({PATCH_FILE}) cannot be applied: {error}") from None


def _git(root: Path, *arguments: str) -> str:
    """The output of a git command; a fault of it is the user's."""
    variables = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, env=variables, capture_output=True, check=False, encoding="utf-8", errors="replace"
        )
    except FileNotFoundError:
        raise UserError("git is not installed; expected it, because the code of a version comes from its commit") from None
    if done.returncode != 0:
        message = done.stderr.strip().splitlines()
        raise UserError(redact(f"git {arguments[0]}: {message[-1] if message else 'failed'}"))
    return done.stdout
