"""The lineage of a run: the git commit, and the digests of the stage's inputs in ``dvc.lock``."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from seq2seq_core.artifacts import LOCK_FILE, RECEIPT_FILE
from seq2seq_core.dvc_files import read_lock, read_stages


def git_state(root: Path) -> dict[str, str]:
    """The tags ``git_commit`` and ``git_dirty`` of a workspace; empty outside git or before the first commit."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {}
    # The stages of a run change these files, so their changes say nothing about the code.
    written = [f":(exclude){name}" for name in (LOCK_FILE, RECEIPT_FILE)]
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *written)
    return {"git_commit": commit, "git_dirty": str(bool(changes)).lower()}


def git_origin(root: Path) -> str:
    """The address of the remote ``origin`` of a workspace's repository; empty where it has none."""
    return _git(root, "remote", "get-url", "origin") or ""


def _git(root: Path, *arguments: str) -> str | None:
    """The output of a git command, or None where git or the repository is missing."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=30, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def upstream_digests(root: Path, stage: str) -> dict[str, str]:
    """The tags ``lock.<stage>.<path>`` of the outputs of all upstream stages, and ``lock.data.<path>`` of the raw data.

    Args:
        root: the workspace; reads ``dvc.lock`` and ``dvc.yaml``.
        stage: the stage's name; it may be missing in ``dvc.lock``.
    """
    lock, graph = read_lock(root), read_stages(root / "dvc.yaml")
    producers = {out["path"]: name for name, entry in lock.items() for out in entry.get("outs", [])}
    upstream = _upstream_stages(stage, graph, producers)
    tags = {f"lock.{name}.{out['path']}": _digest(out) for name in upstream for out in lock[name].get("outs", [])}
    for name in (*upstream, stage):
        entering = [dep for dep in lock.get(name, {}).get("deps", []) if dep["path"] not in producers and not _is_code(dep["path"])]
        tags |= {f"lock.data.{dep['path']}": _digest(dep) for dep in entering}
    return dict(sorted(tags.items()))


def _upstream_stages(stage: str, graph: dict[str, Any], producers: dict[str, str]) -> list[str]:
    """The direct and indirect upstream stages of ``stage``."""
    waiting, found = [stage], list[str]()
    while waiting:
        for dependency in (graph.get(waiting.pop()) or {}).get("deps", []):
            path = dependency if isinstance(dependency, str) else next(iter(dependency))
            owner = producers.get(path)
            if owner is not None and owner != stage and owner not in found:
                found.append(owner)
                waiting.append(owner)
    return found


def _is_code(path: str) -> bool:
    """Whether a dependency is the project's code, which the git commit already identifies."""
    return path.startswith(("seq2seq_core", "flows", "reports/code", "requirements.txt")) or path.endswith(".py")


def _digest(entry: dict[str, Any]) -> str:
    """The digest of a lock entry, by any of DVC's algorithms."""
    return str(entry.get("md5") or entry.get(str(entry.get("hash", "")), ""))
