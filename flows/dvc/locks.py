"""Removal of the locks that a killed DVC process leaves, before the next process starts.

DVC's repository lock ends with its process. Its list of files in use (``.dvc/tmp/rwlock``) does not. DVC drops the entries of a
process id that is free, but not those of an id that another program has taken since (after a reboot, in a new container). It
also refuses a file that a kill left half-written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from seq2seq_core.file_lock import wait_for_lock
from seq2seq_core.stage_history.dvc_cache import dvc_folder


def clear_dead_locks(workspace: Path) -> list[str]:
    """Removes the lock entries of dead processes; returns a line for each of them, usually none.

    Args:
        workspace: a folder in the DVC repository.
    """
    temporary = dvc_folder(workspace) / "tmp"
    listing = temporary / "rwlock"
    if not listing.is_file():
        return []
    # We lock DVC's own guard file, as DVC does, so that DVC does not edit the list at the same time.
    with wait_for_lock(temporary / "rwlock.lock"):
        try:
            entries = json.loads(listing.read_text(encoding="utf-8"))
        except ValueError:
            listing.unlink()
            return [f"removed {listing}: a killed DVC process had left it half-written"]
        written_at = listing.stat().st_mtime
        dead = {holder["pid"]: holder["cmd"] for holder in _holders(entries) if _is_dead(holder["pid"], written_at)}
        if dead:
            listing.write_text(json.dumps(_without(entries, set(dead))), encoding="utf-8")
    return [f"released the DVC locks of process {pid}, which is dead ({command})" for pid, command in sorted(dead.items())]


def list_dead_locks(workspace: Path) -> list[str]:
    """A line for each dead process that still has a lock entry, usually none; nothing is removed.

    Args:
        workspace: a folder in the DVC repository.
    """
    listing = dvc_folder(workspace) / "tmp" / "rwlock"
    try:
        entries, written_at = json.loads(listing.read_text(encoding="utf-8")), listing.stat().st_mtime
    except FileNotFoundError:
        return []
    except ValueError:
        return [f"{listing} was left half-written by a DVC process that was killed"]
    dead = {holder["pid"]: holder["cmd"] for holder in _holders(entries) if _is_dead(holder["pid"], written_at)}
    return [f"process {pid}, which is dead, has DVC locks ({command})" for pid, command in sorted(dead.items())]


def _holders(entries: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from entries.get("write", {}).values()
    for readers in entries.get("read", {}).values():
        yield from readers


def _without(entries: dict[str, Any], dead: set[int]) -> dict[str, Any]:
    """The list without the entries of dead processes."""
    write = {path: holder for path, holder in entries.get("write", {}).items() if holder["pid"] not in dead}
    read = {
        path: living
        for path, readers in entries.get("read", {}).items()
        if (living := [holder for holder in readers if holder["pid"] not in dead])
    }
    return {"write": write, "read": read}


def _is_dead(pid: int, written_at: float) -> bool:
    """Whether the process of an entry is dead: its id is free, or belongs to a process that started after the entry."""
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE or process.create_time() > written_at
    except psutil.NoSuchProcess:
        return True
