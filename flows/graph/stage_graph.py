"""The graph of stages and which of them are fresh, as DVC tells it: ``dvc.yaml`` is the pipeline, and there is no second copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import Any

from flows.dvc.command import Dvc
from flows.processes.supervised import StopPolicy
from seq2seq_core.errors import UserError

DOT_LINE = re.compile(r'\s*"(?P<upstream>[^"]+)"(?:\s*->\s*"(?P<downstream>[^"]+)")?\s*;?\s*')


@dataclass(frozen=True)
class StageGraph:
    """The stages of one workspace's ``dvc.yaml`` and what they stand on.

    Attributes:
        stages: the stages' names as DVC knows them (``train``, ``train@de`` of a foreach or matrix), each after its upstream.
        upstream: for each stage, the stages whose outputs it reads.
        sources: the ``.dvc`` files that track what stages read; they are data, not stages.
    """

    stages: tuple[str, ...]
    upstream: Mapping[str, frozenset[str]]
    sources: tuple[str, ...]

    def ancestors(self, stage: str) -> frozenset[str]:
        """All stages that a stage stands on, however far above."""
        found: set[str] = set()
        queue = list(self.upstream[stage])
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                queue.extend(self.upstream[name])
        return frozenset(found)


@dataclass(frozen=True)
class GraphStatus:
    """What differs from the last run.

    Attributes:
        changes: for each stage or source that differs, what differs, a line each; those that are as they were are missing.
        missing_inputs: files and folders that a stage reads, that are not there and that no stage makes, with that stage.
    """

    changes: Mapping[str, tuple[str, ...]]
    missing_inputs: Mapping[str, str]

    def is_fresh(self, stage: str, graph: StageGraph) -> bool:
        """Whether a stage and all that it stands on are as they were when it last ran."""
        return not any(name in self.changes for name in (stage, *graph.ancestors(stage)))

    def why_stale(self, stage: str, graph: StageGraph) -> str:
        """Why a stage may have to run: what changed, or which stages above it are stale; empty where it is fresh."""
        if stage in self.changes:
            return "; ".join(self.changes[stage])
        stale = [name for name in graph.stages if name in graph.ancestors(stage) and name in self.changes]
        return f"upstream: {', '.join(stale)}" if stale else ""


def read_stage_graph(dvc: Dvc, policy: StopPolicy | None = None) -> StageGraph:
    """The graph of the workspace's ``dvc.yaml``: its stages and all that these stand on.

    Args:
        dvc: the workspace's DVC.
        policy: when the question is given up.

    Raises:
        UserError: DVC cannot read the graph; its own words.
    """
    return parse_dot(dvc.ask(["dag", "--dot"], policy))


def parse_dot(text: str) -> StageGraph:
    """The graph from the output of ``dvc dag --dot``.

    Args:
        text: a line for each node and for each edge, from upstream to downstream.

    Raises:
        UserError: there is a cycle.
    """
    above: dict[str, set[str]] = {}
    for line in text.splitlines():
        match = DOT_LINE.fullmatch(line)
        if match is None:
            continue
        above.setdefault(match["upstream"], set())
        if match["downstream"] is not None:
            above.setdefault(match["downstream"], set()).add(match["upstream"])
    wanted = _with_ancestors((name for name in above if _is_own_stage(name)), above)
    return _graph({name: names for name, names in above.items() if name in wanted})


def read_status(dvc: Dvc, policy: StopPolicy | None = None) -> GraphStatus:
    """What differs from the last run, as files are now. Not to be asked while a stage runs: DVC refuses then.

    Args:
        dvc: the workspace's DVC.
        policy: when the question is given up.

    Raises:
        UserError: DVC cannot tell; its own words.
        WorkspaceBusy: another DVC process runs a stage here.
    """
    return parse_status(json.loads(dvc.ask(["status", "--json", "--no-updates"], policy)))


def parse_status(answer: Mapping[str, list[Any]]) -> GraphStatus:
    """The status from the output of ``dvc status --json``.

    Args:
        answer: for each stage or source that differs, a list of texts and of mappings such as
            ``{"changed deps": {"params.yaml": {"train.seed": "modified"}}}``.
    """
    changes = {name: tuple(_describe_changes(entries)) for name, entries in answer.items()}
    made = {path for name, entries in answer.items() if not _is_source(name) for path in _gone(entries, "changed outs")}
    missing_inputs = {
        path: name
        for name, entries in answer.items()
        if not _is_source(name)
        for path in _gone(entries, "changed deps")
        if not any(_is_within(path, out) for out in made)
    }
    return GraphStatus(changes, missing_inputs)


def _graph(above: Mapping[str, set[str]]) -> StageGraph:
    """Nodes and what is directly above each, as a graph of stages in an order in which they can run."""
    try:
        order = list(TopologicalSorter(above).static_order())
    except CycleError as error:
        raise UserError(f"dvc.yaml: the stages depend on each other in a circle: {' -> '.join(error.args[1])}") from None
    stages = tuple(name for name in order if not _is_source(name))
    upstream = {name: frozenset(other for other in above[name] if not _is_source(other)) for name in stages}
    return StageGraph(stages, upstream, tuple(name for name in order if _is_source(name)))


def _with_ancestors(names: Iterable[str], above: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue.extend(above[name])
    return found


def _is_source(name: str) -> bool:
    """Whether a node is a ``.dvc`` file."""
    return name.endswith(".dvc")


def _is_own_stage(name: str) -> bool:
    """Whether a node is a stage of the workspace's own ``dvc.yaml``; one of another folder's is ``FOLDER/dvc.yaml:NAME``."""
    return not _is_source(name) and ":" not in name


def _describe_changes(entries: list[Any]) -> list[str]:
    """A line for each thing that differs."""
    lines: list[str] = []
    for entry in entries:
        if isinstance(entry, str):
            lines.append(entry)
            continue
        for kind, items in entry.items():
            if isinstance(items, str):
                lines.append(f"{kind}: {items}")
            else:
                noun = "output " if kind == "changed outs" else ""
                lines.extend(f"{noun}{what}" for what in _describe_items(items))
    return lines


def _describe_items(items: Mapping[str, Any]) -> list[str]:
    """``params.yaml train.seed modified`` and the like."""
    lines = []
    for path, change in items.items():
        if isinstance(change, str):
            lines.append(f"{path} {change}")
        else:
            lines.extend(f"{path} {key} {what}" for key, what in change.items())
    return lines


def _gone(entries: list[Any], kind: str) -> list[str]:
    """The paths of one kind that are not there."""
    return [
        path
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get(kind), dict)
        for path, change in entry[kind].items()
        if change == "deleted"
    ]


def _is_within(path: str, folder: str) -> bool:
    """Whether a path is another one or lies in it."""
    return PurePosixPath(path).is_relative_to(PurePosixPath(folder))
