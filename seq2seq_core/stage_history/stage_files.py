"""The files that each stage of ``dvc.yaml`` reads and writes, in the order in which the stages run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Any

from seq2seq_core.artifacts import PARAMS_FILE
from seq2seq_core.config.yaml_text import YamlError, parse_yaml
from seq2seq_core.dvc_files import read_lock, read_stages

_VALUE = re.compile(r"\$\{([\w.-]+)\}")
_OUTPUTS = ("outs", "metrics", "plots")


@dataclass(frozen=True)
class StageFiles:
    """The files of a stage.

    Attributes:
        name: the stage's; ``train@de`` of a foreach or matrix.
        inputs: files and folders that it reads, relative to the workspace.
        outputs: files and folders that it writes.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_stage_files(root: Path) -> list[StageFiles]:
    """The stages in an order in which they can run; empty where there is no ``dvc.yaml``.

    The items of a foreach or a matrix are known from ``dvc.lock`` alone.

    Args:
        root: the workspace.
    """
    values, lock = _read_values(root), read_lock(root)
    found: list[StageFiles] = []
    for name, entry in read_stages(root / "dvc.yaml").items():
        if isinstance(entry, dict) and "do" not in entry and "matrix" not in entry:
            inputs = tuple(_fill(path, values) for path in _paths(entry, ("deps",)))
            found.append(StageFiles(name, inputs, tuple(_fill(path, values) for path in _paths(entry, _OUTPUTS))))
        else:
            items = {item: content for item, content in lock.items() if item.startswith(f"{name}@")}
            found += [
                StageFiles(item, tuple(_paths(content, ("deps",))), tuple(_paths(content, _OUTPUTS)))
                for item, content in items.items()
            ]
    return _in_order(found)


def find_maker(stages: list[StageFiles], output: str) -> StageFiles | None:
    """The stage that writes a file or folder, or None.

    Args:
        stages: of a workspace.
        output: relative to the workspace.
    """
    return next((stage for stage in stages if output in stage.outputs), None)


def _read_values(root: Path) -> Any:
    try:
        return parse_yaml((root / PARAMS_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YamlError):
        return {}


def _paths(entry: Mapping[str, Any], kinds: tuple[str, ...]) -> Iterator[str]:
    for kind in kinds:
        for path in entry.get(kind) or ():
            if isinstance(path, str):
                yield path
            elif isinstance(path, dict):
                yield str(path.get("path") or next(iter(path)))


def _fill(path: str, values: Any) -> str:
    """A path with the parameters that it names put in."""

    def value(match: re.Match[str]) -> str:
        place = values
        for part in match[1].split("."):
            place = place.get(part) if isinstance(place, dict) else None
        return match[0] if place is None else str(place)

    return _VALUE.sub(value, path)


def _in_order(stages: list[StageFiles]) -> list[StageFiles]:
    above = {stage.name: {other.name for other in stages if other is not stage and _reads_from(stage, other)} for stage in stages}
    try:
        order = list(TopologicalSorter(above).static_order())
    except CycleError:
        return stages
    return sorted(stages, key=lambda stage: order.index(stage.name))


def _reads_from(stage: StageFiles, other: StageFiles) -> bool:
    pairs = ((PurePosixPath(one), PurePosixPath(two)) for one in stage.inputs for two in other.outputs)
    return any(one.is_relative_to(two) or two.is_relative_to(one) for one, two in pairs)
