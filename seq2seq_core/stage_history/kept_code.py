"""The code that stages ran with: its digests, and the text of each module, so that a later run can name what has changed.

``dvc.lock`` has the MD5 of the digests that a stage depended on, and the digests name the modules. So what is kept is found through
either door, also where DVC restored the outputs of an earlier run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.code_digests.reach import digest_of_text, find_module
from seq2seq_core.stage_history.dvc_cache import read_cached

logger = logging.getLogger(__name__)
MAX_BYTES = 64 << 20
"""What is kept at most; the oldest goes first."""
GIT_SECONDS = 10.0


def keep_code(contents: Iterable[str], paths: Paths) -> None:
    """Keeps the digests of stages and the texts of the modules that they name; a full disk is only a warning.

    Args:
        contents: of ``reports/code/<stage>.json``.
        paths: the workspace; writes ``.s2s/code``.
    """
    try:
        for content in contents:
            _keep(paths.kept_code / f"{md5_of(content)}.json", content)
            for module, digest in json.loads(content)["code"].items():
                file = find_module(module)
                if file is not None:
                    _keep(paths.kept_code / f"{digest}.py", file)
        _prune(paths.kept_code)
    except OSError as error:
        logger.warning("%s: a later run cannot name the functions that have changed: %s", paths.kept_code, error)


def _keep(place: Path, content: str | Path) -> None:
    """Keeps a text, or that of a file; one that is there is marked as in use."""
    if place.is_file():
        place.touch()
        return
    # Hundreds of files, and without them only a reason is less exact.
    atomic.write_quickly(place, content.encode() if isinstance(content, str) else content.read_bytes())


def _prune(folder: Path) -> None:
    files = sorted(((file.stat(), file) for file in folder.iterdir()), key=lambda one: one[0].st_mtime, reverse=True)
    total = 0
    for state, file in files:
        total += state.st_size
        if total > MAX_BYTES:
            file.unlink(missing_ok=True)


def find_digests(md5: str, paths: Paths) -> dict[str, Any] | None:
    """The digests that a stage depended on; None: they are kept nowhere.

    Args:
        md5: as in ``dvc.lock``.
        paths: the workspace; reads ``.s2s/code``, then DVC's cache.
    """
    try:
        content = (paths.kept_code / f"{md5}.json").read_bytes()
    except OSError:
        content = read_cached(paths.root, md5) or b""
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def find_source(module: str, digest: str, paths: Paths) -> str | None:
    """The text of a module as it was; None: it is kept nowhere.

    Args:
        module: its absolute name.
        digest: of its meaning.
        paths: the workspace; reads ``.s2s/code``. Where that lacks it, the last commit may have it.
    """
    try:
        return (paths.kept_code / f"{digest}.py").read_text(encoding="utf-8")
    except OSError:
        pass
    file = find_module(module)
    if file is None:
        return None
    command = ["git", "show", f"HEAD:./{file.name}"]
    try:
        done = subprocess.run(command, cwd=file.parent, capture_output=True, timeout=GIT_SECONDS, check=False)
        text = done.stdout.decode("utf-8")
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return text if done.returncode == 0 and digest_of_text(text, module) == digest else None


def md5_of(content: str) -> str:
    """The MD5 by which DVC knows a file.

    Args:
        content: of the file.
    """
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
