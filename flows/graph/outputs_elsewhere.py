"""Outputs that are in the DVC remote and not on this machine: the stages that made them are as fresh as ``dvc.lock`` says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flows.graph.stage_graph import Answer

DELETED, UNCACHED = "deleted", "not in cache"
"""What DVC says of a missing output: the second where its content is not here at all."""
Lock = Mapping[str, Any]
"""The stages of ``dvc.lock``, by name."""


def forgive_missing(answer: Answer, lock: Lock, pooled: Collection[str]) -> Answer:
    """DVC's answer without the files that are only missing here.

    An output of a stage on a work pool may be missing. So may an input that such a stage makes, if the reader's last run read
    what the maker's last run left: both are in ``dvc.lock`` with the same digest. A file within a folder has no digest there,
    so that its reader counts as stale until DVC has looked, which runs nothing.

    Args:
        answer: from ``dvc status --json``.
        lock: the stages of ``dvc.lock``.
        pooled: the stages that run on work pools.
    """
    made = {path: digest for stage in pooled for path, digest in _digests(lock.get(stage), "outs").items()}
    kept = {name: _without(entries, _digests(lock.get(name), "deps"), made, name in pooled) for name, entries in answer.items()}
    return {name: entries for name, entries in kept.items() if entries}


def _without(entries: list[Any], read: Mapping[str, str], made: Mapping[str, str], is_pooled: bool) -> list[Any]:
    """The changes of one stage that count."""
    kept: list[Any] = []
    for entry in entries:
        if not isinstance(entry, dict):
            kept.append(entry)
            continue
        changes = dict(entry)
        if is_pooled and isinstance(outs := entry.get("changed outs"), dict):
            changes["changed outs"] = {path: change for path, change in outs.items() if change not in (DELETED, UNCACHED)}
        if isinstance(deps := entry.get("changed deps"), dict):
            changes["changed deps"] = {
                path: change
                for path, change in deps.items()
                if change != DELETED or path not in made or made[path] != read.get(path)
            }
        if left := {kind: items for kind, items in changes.items() if items}:
            kept.append(left)
    return kept


def _digests(entry: Any, kind: str) -> dict[str, str]:
    """The digests of a stage's inputs or outputs in ``dvc.lock``, by path."""
    items = entry.get(kind, []) if isinstance(entry, dict) else []
    return {str(item["path"]): str(item["md5"]) for item in items if "md5" in item}
