"""The workspace: git, DVC, its remotes, settings, locks and what earlier runs left."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec

from flows.diagnosis.finding import Finding
from flows.dvc.command import Dvc
from flows.dvc.git_command import run_git
from flows.dvc.repository import check_repository, has_git, how_to_init
from flows.overview.troubles import find_troubles
from flows.processes.workspace_lock import find_holder
from flows.workspaces.workspace_record import check_version
from seq2seq_core.artifacts import LOCK_FILE, Paths
from seq2seq_core.config.settings import Settings, load_settings
from seq2seq_core.errors import EnvironmentFault, Seq2SeqError, UserError
from seq2seq_core.stage_history.dvc_cache import dvc_folder, read_remotes

GIT_SECONDS = 20.0
GIT_QUESTIONS = (
    ("rev-parse", "--git-dir"), ("log", "-1", "--format=%h %cs %D"), ("status", "--porcelain", "--untracked-files=no")
)  # fmt: skip
PLUGINS = {
    "s3": "dvc-s3", "gs": "dvc-gs", "azure": "dvc-azure", "ssh": "dvc-ssh", "gdrive": "dvc-gdrive", "hdfs": "dvc-hdfs",
    "oss": "dvc-oss", "webdav": "dvc-webdav", "webdavs": "dvc-webdav",
}  # fmt: skip
"""The package that DVC needs for a remote, by the scheme of its address."""


def find_workspace_state(paths: Paths) -> Iterator[Finding]:
    """The state of the workspace.

    Args:
        paths: the workspace.
    """
    yield Finding("workspace", str(paths.root))
    try:
        check_version(paths.root)
    except UserError as error:
        yield Finding("version", str(error), "problem", "`s2s upgrade`")
    for folder in (paths.root, paths.work):
        if folder.exists() and not os.access(folder, os.W_OK):
            place = shlex.quote(str(folder))
            mend = f"`chown -R $USER {place}` if it is another user's, `chmod -R u+w {place}` if it is yours"
            yield Finding("workspace", f"{folder} cannot be written", "problem", mend)
    yield from _git(paths)
    yield from _dvc(paths)
    holder = find_holder(paths)
    yield Finding(
        "retrain.lock", "free" if holder is None else f"held by the retrain of process {holder}", "ok" if holder is None else "note"
    )
    for trouble in find_troubles(paths):
        yield Finding("left behind", trouble.text, "problem", trouble.mend)


def check_settings(paths: Paths) -> tuple[Settings | None, Finding]:
    """The settings, and whether they can be read.

    Args:
        paths: the workspace.
    """
    try:
        return load_settings(paths.params), Finding("settings", "params.yaml is valid")
    except Seq2SeqError as error:
        return None, Finding("settings", str(error), "problem", "`s2s check-settings` lists every fault")


def _git(paths: Paths) -> Iterator[Finding]:
    try:
        place, head, status = (run_git(paths.root, words, seconds=GIT_SECONDS) for words in GIT_QUESTIONS)
    except EnvironmentFault as error:
        yield Finding("git", str(error), "problem", "install git, and type the command again")
        return
    except subprocess.TimeoutExpired:
        yield Finding("git", f"does not answer within {GIT_SECONDS:.0f} s", "problem", "`git status` here shows what it waits for")
        return
    if place.returncode != 0 and has_git(paths.root):
        # Such as a folder of another user, which git calls dubious ownership.
        mend = (
            f"`git config --global --add safe.directory {shlex.quote(str(paths.root))}`" if "safe.directory" in place.stderr else ""
        )
        yield Finding("git", f"refuses: {place.stderr.strip()}", "problem", mend or "`git status` here says more")
    elif place.returncode != 0:
        yield Finding("git", "there is no repository here", "note", "`git init && git add -A && git commit -m start`")
    elif head.returncode != 0:
        yield Finding("git", "there is no commit here", "note", "`git add -A && git commit -m start`")
    else:
        changed = status.stdout.rstrip("\n").splitlines()
        yield Finding("git", f"{head.stdout.strip()}; files with changes: {len(changed)}{_names(changed)}")


def _names(changed: list[str]) -> str:
    names = [line[3:] for line in changed[:6]]
    return f" ({', '.join(names)}{' …' if len(changed) > len(names) else ''})" if names else ""


def _dvc(paths: Paths) -> Iterator[Finding]:
    try:
        check_repository(Dvc(paths.root))
    except Seq2SeqError as error:
        mend = f"`{how_to_init(paths.root)}`" if has_git(paths.root) else "`git init && git add -A && git commit -m start`"
        yield Finding("dvc", str(error), "problem", mend)
        return
    has_lock = (paths.root / LOCK_FILE).is_file()
    yield Finding("dvc", f"{LOCK_FILE} is {'there' if has_lock else 'missing: nothing was run here'}")
    remotes = read_remotes(dvc_folder(paths.root))
    if not remotes:
        yield Finding("remotes", "none: `dvc push` has no place to go", "note", "`s2s remote add NAME ADDRESS --default`")
    for name, address in remotes.items():
        plugin = PLUGINS.get(address.partition("://")[0], "")
        if plugin and find_spec(plugin.replace("-", "_")) is None:
            yield Finding("remotes", f"{name}: {address}; {plugin} is not installed", "problem", f"pip install {plugin}")
        else:
            yield Finding("remotes", f"{name}: {address}")
