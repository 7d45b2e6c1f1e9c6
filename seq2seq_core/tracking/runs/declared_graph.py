"""The order of stages as declared in ``dvc.yaml``; a stage reads the file because DVC cannot answer while it runs a stage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from seq2seq_core.dvc_files import read_stages
from seq2seq_core.stage_table import STAGES


def is_last_run(stage: str, root: Path) -> bool:
    """Whether no direct or indirect downstream stage has an MLflow run.

    Args:
        stage: the stage's name in ``dvc.yaml``.
        root: the workspace; reads ``dvc.yaml``.
    """
    tracked = {one.name for one in STAGES if one.is_tracked}
    return tracked.isdisjoint(find_followers(stage, read_stages(root / "dvc.yaml")))


def find_followers(stage: str, graph: dict[str, Any]) -> set[str]:
    """The direct and indirect downstream stages of a stage.

    Args:
        stage: the stage's name.
        graph: the section ``stages`` of ``dvc.yaml``.
    """
    read = {name: list(_paths(entry, "deps")) for name, entry in graph.items()}
    found: set[str] = set()
    waiting = [stage]
    while waiting:
        entry = graph.get(waiting.pop())
        written = [path for kind in ("outs", "metrics", "plots") for path in _paths(entry, kind)]
        for name, paths in read.items():
            if name not in found and any(_overlap(path, out) for path in paths for out in written):
                found.add(name)
                waiting.append(name)
    return found - {stage}


def _paths(entry: Any, kind: str) -> Iterator[PurePosixPath]:
    """The paths of one kind of a stage; in a ``foreach`` stage they are under ``do``."""
    values = entry if isinstance(entry, dict) else {}
    for path in values.get("do", values).get(kind) or ():
        yield PurePosixPath(path if isinstance(path, str) else next(iter(path)))


def _overlap(one: PurePosixPath, other: PurePosixPath) -> bool:
    """Whether two paths are equal or one contains the other."""
    return one.is_relative_to(other) or other.is_relative_to(one)
