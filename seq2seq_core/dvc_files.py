"""The stages in DVC's files ``dvc.yaml`` and ``dvc.lock``."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from seq2seq_core.artifacts import LOCK_FILE, find_workspace
from seq2seq_core.config.yaml_text import YamlError, parse_yaml


def read_lock(root: Path) -> dict[str, Any]:
    """The stages of a workspace's ``dvc.lock``: ``{stage: {"cmd", "deps", "params", "outs"}}``; empty where there is no file."""
    return read_stages(root / LOCK_FILE)


def read_stages(file: Path) -> dict[str, Any]:
    """The section ``stages`` of one of DVC's files; empty where the file is missing or cannot be read.

    Args:
        file: ``dvc.yaml`` or ``dvc.lock``.
    """
    try:
        return load_stages(file)
    except (OSError, UnicodeDecodeError, YamlError):
        return {}


def load_stages(file: Path) -> dict[str, Any]:
    """The section ``stages`` of one of DVC's files; empty where it has none.

    Args:
        file: ``dvc.yaml`` or ``dvc.lock``.

    Raises:
        OSError, UnicodeDecodeError, YamlError: it is missing, or cannot be read.
    """
    content = parse_yaml(file.read_text(encoding="utf-8"))
    stages = content.get("stages") if isinstance(content, dict) else None
    return stages if isinstance(stages, dict) else {}


def uncached_outputs(root: Path, stage: str) -> list[str]:
    """The outputs of a stage that DVC does not keep (``cache: false``), relative to the workspace: git has them.

    Args:
        root: the workspace; reads ``dvc.yaml``.
        stage: the stage's name; ``NAME@ITEM`` takes those of ``NAME``.
    """
    entry = read_stages(root / "dvc.yaml").get(stage.partition("@")[0], {})
    items = [item for kind in ("outs", "metrics", "plots") for item in entry.get(kind, []) if isinstance(item, dict)]
    return [str(path) for item in items for path, options in item.items() if (options or {}).get("cache") is False]


def join_stage(text: str, stage: str, entry: Mapping[str, Any]) -> str:
    """The text of a ``dvc.lock`` with one stage's entry, as DVC itself writes it: a new stage comes last.

    Args:
        text: the file; empty where there is none yet.
        stage: the stage's name.
        entry: its command, inputs, parameters and outputs.
    """
    editor, buffer = YAML(), io.StringIO()
    editor.default_flow_style = False
    document = editor.load(text) or {"schema": "2.0"}
    document["stages"] = document.get("stages") or {}
    document["stages"][stage] = dict(entry)
    editor.dump(document, buffer)
    return buffer.getvalue()


def missing_outputs(root: Path, stage: str) -> list[str]:
    """The outputs that a stage's last success left and that are not there now, relative to the workspace.

    Args:
        root: the workspace; reads ``dvc.lock``.
        stage: the stage's name; it may be missing in ``dvc.lock``.
    """
    paths = [str(out["path"]) for out in read_lock(root).get(stage, {}).get("outs", [])]
    return [path for path in paths if not (root / path).exists()]


def how_to_make(path: Path, stage: str) -> str:
    """How to get a missing output, for messages: DVC may still have the one of the last success of its stage.

    DVC deletes the outputs of a stage before it runs the stage, so that they are missing after a failure.

    Args:
        path: the output's place; it may be outside of a workspace.
        stage: the stage that makes such an output.
    """
    makes = f"`s2s {stage}` (or `dvc repro {stage}`) makes one"
    workspace, place = find_workspace(path.parent), path.resolve()
    if workspace is None or not place.is_relative_to(workspace.root):
        return makes
    name = place.relative_to(workspace.root).as_posix()
    if not any(name in missing_outputs(workspace.root, owner) for owner in read_lock(workspace.root)):
        return makes
    return f"`dvc checkout {name}` brings the last one back, {makes} anew"
