"""The code of a workspace: its commit, and the changes that are in no commit."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_core import __version__
from seq2seq_core.artifacts import LOCK_FILE, RECEIPT_FILE
from seq2seq_core.redaction.redactor import redact

MAX_PATCH_BYTES = 16 << 20
CODE_PATTERNS = ("*.py", "*.yaml", "*.yml", "*.toml", "*.dvc", "*.cfg")
"""New files that git does not know yet and that belong to the code."""
GIT_SECONDS = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CodeState:
    """The code of a workspace.

    Attributes:
        commit: the commit; empty outside git.
        folder: the workspace's folder inside the repository; empty: its root.
        patch: the changes on top of the commit, as ``git apply`` takes them; empty: none.
        lack: why the patch is not complete; empty where it is.
    """

    commit: str
    folder: str
    patch: str
    lack: str = ""

    def summary(self) -> dict[str, Any]:
        """Everything but the patch itself, as JSON."""
        digest = hashlib.sha256(self.patch.encode("utf-8", "surrogateescape")).hexdigest() if self.patch else None
        return {
            "commit": self.commit or None,
            "folder": self.folder,
            "is_dirty": bool(self.patch or self.lack),
            "patch_sha256": digest,
            "patch_lack": self.lack or None,
            "version": __version__,
        }


def read_code_state(root: Path) -> CodeState:
    """The code of a workspace; of changes in ``dvc.lock`` and the receipt, which every run writes, it says nothing.

    Args:
        root: the workspace.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return CodeState("", "", "")
    folder = (_git(root, "rev-parse", "--show-prefix") or b"").decode("utf-8", "surrogateescape").strip().rstrip("/")
    name = commit.decode().strip()
    patch = _read_patch(root)
    if patch is None:
        return CodeState(name, folder, "", "git could not tell the changes")
    if len(patch) > MAX_PATCH_BYTES:
        return CodeState(name, folder, "", f"the changes take {len(patch):,} bytes, more than {MAX_PATCH_BYTES:,}")
    text = patch.decode("utf-8", "surrogateescape")
    shown = redact(text)
    return CodeState(name, folder, shown, "" if shown == text else "secrets in it are replaced by ***")


def _read_patch(root: Path) -> bytes | None:
    """The changes of the working tree with its new code files, by an index that is thrown away."""
    excluded = [f":(exclude){name}" for name in (LOCK_FILE, RECEIPT_FILE)]
    index = _git(root, "rev-parse", "--path-format=absolute", "--git-path", "index")
    new_files = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *CODE_PATTERNS)
    if index is None or new_files is None:
        return None
    with tempfile.TemporaryDirectory() as room:
        own = Path(room) / "index"
        known = Path(os.fsdecode(index.strip()))
        if known.is_file():
            shutil.copyfile(known, own)
        variables = {"GIT_INDEX_FILE": str(own)}
        names = [os.fsdecode(name) for name in new_files.split(b"\0") if name]
        if names and _git(root, "add", "--intent-to-add", "--", *names, variables=variables) is None:
            return None
        form = ("--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")
        return _git(root, "diff", "HEAD", *form, "--", ".", *excluded, variables=variables)


def _git(root: Path, *arguments: str, variables: dict[str, str] | None = None) -> bytes | None:
    """The output of a git command; None where it failed."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, env={**os.environ, **(variables or {})}, capture_output=True,
            timeout=GIT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        logger.debug("git %s: %s", arguments[0], done.stderr.decode("utf-8", "replace").strip())
        return None
    return done.stdout
