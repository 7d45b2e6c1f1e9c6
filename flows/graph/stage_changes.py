"""The reasons why stages are stale, in the words of somebody who edits ``params.yaml``: DVC names sections and digest files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flows.graph.stage_graph import GraphStatus, is_own_stage
from seq2seq_core.artifacts import PARAMS_FILE
from seq2seq_core.config.settings import load_values
from seq2seq_core.dvc_files import read_lock
from seq2seq_core.errors import ConfigError

NEVER_RUN = "never run"
CODE_FOLDER = "reports/code/"
CODE_CHANGED = "its code modified"


def explain_changes(status: GraphStatus, root: Path) -> GraphStatus:
    """The status with each stage's changes in plain words: "never run", single settings, the code.

    Args:
        status: from DVC.
        root: the workspace; reads ``dvc.lock`` and ``params.yaml``.
    """
    lock, params = read_lock(root), _read_params(root)
    changes = {
        name: _explain(lock.get(name), lines, params) if is_own_stage(name) else lines for name, lines in status.changes.items()
    }
    return replace(status, changes=changes)


def _read_params(root: Path) -> Mapping[str, Any]:
    try:
        content = load_values(root / PARAMS_FILE)
    except ConfigError:
        return {}
    return content if isinstance(content, dict) else {}


def _explain(entry: Any, lines: tuple[str, ...], params: Mapping[str, Any]) -> tuple[str, ...]:
    """A stage's changes in plain words.

    Args:
        entry: the stage in ``dvc.lock``; None where it never ran.
        lines: the changes as DVC names them.
        params: the present settings.
    """
    if not isinstance(entry, dict):
        return (NEVER_RUN,)
    before = entry.get("params", {}).get(PARAMS_FILE, {})
    settings = [setting for line in lines for setting in _explain_setting(line, before, params)]
    others = [line for line in lines if not line.startswith((f"{PARAMS_FILE} ", CODE_FOLDER))]
    # The digest of the code also covers the values of the settings.
    code = [CODE_CHANGED] if not settings and any(line.startswith(CODE_FOLDER) for line in lines) else []
    return (*others, *settings, *code)


def _explain_setting(line: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """A change such as ``params.yaml train modified``, as a line for each changed setting of the section."""
    file, _, change = line.partition(" ")
    name, _, _ = change.rpartition(" ")
    if file != PARAMS_FILE:
        return
    settings = [f"{PARAMS_FILE} {found}" for found in _differences(name, before.get(name), now.get(name))]
    yield from settings or [line]


def _differences(name: str, before: Any, now: Any) -> Iterator[str]:
    """A line for each setting in which two sections differ."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        if before is not None and now is not None and before != now:
            yield f"{name} modified"
        return
    for key in {**before, **now}:
        if key not in before:
            yield f"{name}.{key} new"
        elif key not in now:
            yield f"{name}.{key} deleted"
        else:
            yield from _differences(f"{name}.{key}", before[key], now[key])
