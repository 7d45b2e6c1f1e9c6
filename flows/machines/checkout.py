"""A worker's own clone of the repository, at the commit that an order names."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from flows.dvc.git_command import GitRefused, git, run_git
from flows.machines.stage_order import StageOrder
from seq2seq_core import atomic
from seq2seq_core.artifacts import LOCK_FILE, PARAMS_FILE
from seq2seq_core.errors import EnvironmentFault, UserError
from seq2seq_core.file_lock import wait_for_lock

FOLDER_VARIABLE = "S2S_STAGE_FOLDER"
"""The folder of a worker's clones; by default ``~/.cache/seq2seq-flows``."""


def clone_for(order: StageOrder) -> Path:
    """The top of this worker's clone; made where there is none yet.

    A clone stays between two orders, with DVC's cache and the training states.

    Args:
        order: names the repository.

    Raises:
        EnvironmentFault: git cannot clone it.
    """
    base = Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache" / "seq2seq-flows")
    name = order.repository.rstrip("/").rpartition("/")[2].removesuffix(".git")
    clone = base / f"{name}-{hashlib.sha256(order.repository.encode()).hexdigest()[:12]}"
    with wait_for_lock(base / f".{clone.name}.lock"):
        if not (clone / ".git").is_dir():
            draft = atomic.draft_of(clone)
            shutil.rmtree(draft, ignore_errors=True)
            try:
                git(base, "clone", "--quiet", "--no-checkout", order.repository, str(draft))
            except GitRefused as refused:
                raise EnvironmentFault(f"{order.stage}: the worker cannot clone the repository: {refused}") from None
            draft.rename(clone)
    return clone


def check_out(order: StageOrder, clone: Path, log: Callable[[str], None]) -> Path:
    """Brings a clone to the order's commit, settings and ``dvc.lock``; returns the workspace in it.

    Files of the clone that git tracks are overwritten: it belongs to the worker.

    Args:
        order: what to check out.
        clone: the top of the clone; the caller holds the lock of its workspace.
        log: receives a line where something had to be fetched.

    Raises:
        UserError: the repository does not have the commit.
        EnvironmentFault: git cannot fetch from it.
    """
    if run_git(clone, ["cat-file", "-e", f"{order.commit}^{{commit}}"]).returncode != 0:
        _fetch(order, clone)
        log(f"fetched commit {order.commit[:10]} from {order.repository}")
    git(clone, "checkout", "--quiet", "--force", "--detach", order.commit)
    root = clone / order.folder
    for name, text in {PARAMS_FILE: order.params, LOCK_FILE: order.lock, **order.sources}.items():
        if text:
            atomic.write_text(root / name, text)
        else:
            (root / name).unlink(missing_ok=True)
    return root


def _fetch(order: StageOrder, clone: Path) -> None:
    git(clone, "remote", "set-url", "origin", order.repository)
    fetched = run_git(clone, ["fetch", "--quiet", "--tags", "origin"])
    if fetched.returncode != 0:
        raise EnvironmentFault(f"{order.stage}: the worker cannot fetch from {order.repository}: {fetched.stderr.strip()}")
    if run_git(clone, ["cat-file", "-e", f"{order.commit}^{{commit}}"]).returncode != 0:
        raise UserError(
            f"{order.stage}: commit {order.commit[:10]} of the flow's workspace is on no branch of {order.repository}; push it"
        )
