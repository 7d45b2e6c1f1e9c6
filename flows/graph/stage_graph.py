"""The graph of stages and its status, read from DVC: ``dvc.yaml`` is the only definition of the pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import Any

from flows.dvc.command import Dvc
from flows.processes.supervised import StopPolicy
from seq2seq_core.errors import UserError

Answer = Mapping[str, list[Any]]
"""What ``dvc status --json`` says: for each changed stage or source, texts and mappings."""
DOT_LINE = re.compile(r'\s*"(?P<upstream>[^"]+)"(?:\s*->\s*"(?P<downstream>[^"]+)")?\s*;?\s*')


@dataclass(frozen=True)
class StageGraph:
    """The stages of a workspace's ``dvc.yaml`` and their dependencies.

    Attributes:
        stages: the stages' names in DVC (``train``, or ``train@de`` of a foreach or matrix), in topological order.
        upstream: for each stage, the stages whose outputs it reads.
        sources: the ``.dvc`` files that track the stages' input data.
        inputs: for each stage, the stages, ``.dvc`` files and stages of other folders whose outputs it reads, sorted.
    """

    stages: tuple[str, ...]
    upstream: Mapping[str, frozenset[str]]
    sources: tuple[str, ...]
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def ancestors(self, stage: str) -> frozenset[str]:
        """All direct and indirect upstream stages of a stage."""
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
    """Changes since the last run.

    Attributes:
        changes: the changes of each changed stage or source, a line each; unchanged ones are left out.
        missing_inputs: missing files and folders that no stage makes, each with a stage that reads it.
    """

    changes: Mapping[str, tuple[str, ...]]
    missing_inputs: Mapping[str, str]

    def is_fresh(self, stage: str, graph: StageGraph) -> bool:
        """Whether a stage is up to date, ancestors included."""
        return not any(name in self.changes for name in (stage, *graph.ancestors(stage)))

    def why_stale(self, stage: str, graph: StageGraph) -> str:
        """The reason why a stage may have to run: its changes, or its stale ancestors; empty where it is fresh."""
        if stage in self.changes:
            return "; ".join(self.changes[stage])
        stale = [name for name in graph.stages if name in graph.ancestors(stage) and name in self.changes]
        return f"upstream: {', '.join(stale)}" if stale else ""


def read_stage_graph(dvc: Dvc, policy: StopPolicy | None = None) -> StageGraph:
    """The graph of the workspace's ``dvc.yaml``: its stages and their ancestors.

    Args:
        dvc: the workspace's DVC.
        policy: when the command is stopped.

    Raises:
        UserError: DVC cannot read the graph; the message is DVC's.
    """
    return parse_dot(dvc.ask(["dag", "--dot"], policy))


def parse_dot(text: str) -> StageGraph:
    """The graph from the output of ``dvc dag --dot``.

    Args:
        text: a line for each node and for each edge, from upstream to downstream.

    Raises:
        UserError: the graph has a cycle.
    """
    above: dict[str, set[str]] = {}
    for line in text.splitlines():
        match = DOT_LINE.fullmatch(line)
        if match is None:
            continue
        above.setdefault(match["upstream"], set())
        if match["downstream"] is not None:
            above.setdefault(match["downstream"], set()).add(match["upstream"])
    wanted = _with_ancestors((name for name in above if is_own_stage(name)), above)
    return _graph({name: names for name, names in above.items() if name in wanted})


def read_status(
    dvc: Dvc, policy: StopPolicy | None = None, forgive: Callable[[Answer], Answer] = lambda answer: answer
) -> GraphStatus:
    """The changes since the last run. Must not be called while a stage runs: DVC then fails.

    Args:
        dvc: the workspace's DVC.
        policy: when the command is stopped.
        forgive: takes changes out of DVC's answer that make no stage stale.

    Raises:
        UserError: DVC cannot read the status; the message is DVC's.
        WorkspaceBusy: another DVC process runs a stage here.
    """
    answer = json.loads(dvc.ask(["status", "--json", "--no-updates"], policy))
    return replace(parse_status(answer), changes=parse_status(forgive(answer)).changes)


def parse_status(answer: Answer) -> GraphStatus:
    """The status from the output of ``dvc status --json``.

    Args:
        answer: for each changed stage or source, a list of texts and of mappings such as
            ``{"changed deps": {"params.yaml": {"train.seed": "modified"}}}``.
    """
    changes = {name: tuple(_describe_changes(entries)) for name, entries in answer.items()}
    gone = ("deleted", "not in cache")
    made = {path for name, entries in answer.items() if not _is_source(name) for path in _gone(entries, "changed outs", gone)}
    missing_inputs = {
        path: name
        for name, entries in answer.items()
        if not _is_source(name)
        for path in _gone(entries, "changed deps")
        if not any(_is_within(path, out) for out in made)
    }
    return GraphStatus(changes, missing_inputs)


def _graph(above: Mapping[str, set[str]]) -> StageGraph:
    """The graph of stages in topological order, from the direct upstream nodes of each node."""
    try:
        order = list(TopologicalSorter(above).static_order())
    except CycleError as error:
        raise UserError(f"dvc.yaml: the stages depend on each other in a circle: {' -> '.join(error.args[1])}") from None
    stages = tuple(name for name in order if not _is_source(name))
    upstream = {name: frozenset(other for other in above[name] if not _is_source(other)) for name in stages}
    inputs = {name: tuple(sorted(above[name])) for name in stages}
    return StageGraph(stages, upstream, tuple(name for name in order if _is_source(name)), inputs)


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


def is_own_stage(name: str) -> bool:
    """Whether a node is a stage of the workspace's own ``dvc.yaml``; stages of other folders are ``FOLDER/dvc.yaml:NAME``."""
    return not _is_source(name) and ":" not in name


def _describe_changes(entries: list[Any]) -> list[str]:
    """A line for each change."""
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
    """Lines such as ``params.yaml train.seed modified``."""
    lines = []
    for path, change in items.items():
        if isinstance(change, str):
            lines.append(f"{path} {change}")
        else:
            lines.extend(f"{path} {key} {what}" for key, what in change.items())
    return lines


def _gone(entries: list[Any], kind: str, changes: Collection[str] = ("deleted",)) -> list[str]:
    """The missing paths of one kind of change."""
    return [
        path
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get(kind), dict)
        for path, change in entry[kind].items()
        if change in changes
    ]


def _is_within(path: str, folder: str) -> bool:
    """Whether a path equals a folder or lies in it."""
    return PurePosixPath(path).is_relative_to(PurePosixPath(folder))
