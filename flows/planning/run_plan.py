"""The plan of a run: the state of each stage and its reasons, from DVC's status and what is kept of the last successes.

Nothing is executed and nothing written: the digests of the code are made in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any, Literal

from flows.dvc.command import Dvc
from flows.dvc.one_run_settings import changed_settings, original_file
from flows.dvc.repository import check_repository
from flows.graph.stage_changes import explain_stage
from flows.graph.stage_choices import refuse_unknown
from flows.graph.stage_graph import GraphStatus, StageGraph, is_own_stage, read_stage_graph, read_status
from flows.processes.supervised import StopPolicy
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.ready_settings import load_workspace_settings
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import EnvironmentFault, UserError, first_line
from seq2seq_core.stage_history.executions import Execution, read_execution
from seq2seq_core.stage_history.stage_files import StageFiles, read_stage_files
from seq2seq_core.stage_history.stage_reason import StageReason
from seq2seq_core.stage_history.stage_reasons import LastSuccesses
from seq2seq_core.stage_table import CODE, STAGES

PlannedState = Literal["fresh", "runs", "may run"]
STATUS_SECONDS = 120.0
"""Longest wait for DVC, which reads a large corpus again after a change."""


@dataclass(frozen=True)
class Cause:
    """A stage above another one that runs for reasons of its own.

    Attributes:
        stage: its name.
        through: the stages between both, from it downwards.
        reasons: why it runs.
    """

    stage: str
    through: tuple[str, ...]
    reasons: tuple[StageReason, ...]


@dataclass(frozen=True)
class PlannedStage:
    """A stage in the plan of a run.

    Attributes:
        name: of the stage.
        state: ``runs`` for reasons of its own; ``may run``: only if what it reads comes out changed.
        reasons: its own.
        causes: the stages above that make it run.
        reads: what it reads of stages that run or may run.
        last: its last success here, with its cost; None: unknown.
    """

    name: str
    state: PlannedState
    reasons: tuple[StageReason, ...] = ()
    causes: tuple[Cause, ...] = ()
    reads: tuple[str, ...] = ()
    last: Execution | None = None


@dataclass(frozen=True)
class RunPlan:
    """The plan of a run.

    Attributes:
        stages: in their order, without the stage ``code``.
        missing: inputs that are missing, each with a stage that reads it.
        notes: what could not be found out.
    """

    stages: tuple[PlannedStage, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def stale(self) -> list[PlannedStage]:
        """The stages that run or may run."""
        return [stage for stage in self.stages if stage.state != "fresh"]

    def find(self, name: str) -> PlannedStage:
        """The stage of a name.

        Args:
            name: of the stage.

        Raises:
            UserError: the graph has no such stage.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise UserError(f"{name}: no stage of dvc.yaml; expected one of {', '.join(stage.name for stage in self.stages)}")

    def as_values(self) -> dict[str, Any]:
        """The plan as values of JSON's types."""
        return {"stages": [asdict(stage) for stage in self.stages], "missing": dict(self.missing), "notes": list(self.notes)}


def make_plan(paths: Paths, settings: Settings, params: Mapping[str, Any] | None = None, forced: Collection[str] = ()) -> RunPlan:
    """What a run would do now.

    Args:
        paths: the workspace.
        settings: its settings, or those for one run.
        params: the same, unchecked, where they are not those of ``params.yaml``.
        forced: stages that run even where they are fresh.

    Raises:
        UserError: DVC cannot work here, or there is no stage of a name in ``forced``.
        WorkspaceBusy: another DVC process runs a stage here.
    """
    dvc = Dvc(paths.root)
    check_repository(dvc)
    policy, notes = StopPolicy(time_limit_seconds=STATUS_SECONDS), list[str]()
    if original_file(paths).is_file():
        notes.append("params.yaml has the settings of a run that is at work or was killed; the next run puts it back")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(read_status, dvc, policy)
        files, read_digests = read_stage_files(paths.root), _digest_reader(paths, settings, notes)
        for stage in STAGES:
            if stage is not CODE:
                read_digests(stage.name)
        status = asked.result()
    graph = _find_graph(files, status, dvc, policy)
    refuse_unknown(forced, graph.stages)
    successes = LastSuccesses.read(paths, params=params, read_digests=read_digests)
    reasons = {name: _explain(name, status, successes, forced) for name in graph.stages if name != CODE.name}
    stages = _plan(graph, reasons, {one.name: one for one in files}, paths)
    return RunPlan(stages, status.missing_inputs, tuple(dict.fromkeys(notes)))


def plan_run(paths: Paths, forced: Sequence[str] = (), assignments: Sequence[str] = ()) -> RunPlan:
    """What ``s2s retrain`` would do now; no server, no run in MLflow, no lock.

    Args:
        paths: the workspace.
        forced: stages that run even where they are fresh.
        assignments: settings for this run only, each ``section.field=value``.

    Raises:
        ConfigError: the settings have faults, or an assignment is wrong.
        UserError: DVC cannot work here, or there is no stage of a name in ``forced``.
        WorkspaceBusy: another DVC process runs a stage here.
    """
    if assignments:
        settings, params = changed_settings(paths, assignments)
        plan = make_plan(paths, settings, params, forced)
    else:
        settings = load_workspace_settings(paths)
        plan = make_plan(paths, settings, forced=forced)
    mode = settings.runtime.flow.refresh.mode
    refresh = [] if mode == "none" else [f"the data are refreshed first (runtime.flow.refresh.mode {mode}), and may change then"]
    return replace(plan, notes=(*refresh, *plan.notes))


def _digest_reader(paths: Paths, settings: Settings, notes: list[str]) -> Callable[[str], str | None]:
    """Gives the digests of a stage's code and settings as they are now; what cannot be found out is noted."""
    from seq2seq_core.stages.code import describe_code

    table = {stage.name: stage for stage in STAGES}

    @cache
    def read(name: str) -> str | None:
        if name not in table:
            return None
        try:
            return describe_code(table[name], settings, paths)
        except (UserError, EnvironmentFault) as error:
            notes.append(f"whether the models that {name} reads have changed is not known: {first_line(error)}")
            return None

    return read


def _find_graph(files: list[StageFiles], status: GraphStatus, dvc: Dvc, policy: StopPolicy) -> StageGraph:
    """The graph as the files declare it; where these are not all, as DVC tells it, which takes a second more."""
    names = {one.name for one in files}
    if not names or any(is_own_stage(name) and name not in names for name in status.changes):
        return read_stage_graph(dvc, policy)
    upstream = {one.name: frozenset(other.name for other in files if other is not one and _shared(one, other)) for one in files}
    return StageGraph(tuple(one.name for one in files), upstream, ())


def _shared(stage: StageFiles, other: StageFiles) -> list[str]:
    """What a stage reads of another one's outputs."""
    return [path for path in stage.inputs if any(_is_within(path, out) or _is_within(out, path) for out in other.outputs)]


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _explain(name: str, status: GraphStatus, successes: LastSuccesses, forced: Collection[str]) -> list[StageReason]:
    """A stage's own reasons."""
    asked = [StageReason("other", "asked for (--force)")] if name in forced else []
    return [*asked, *explain_stage(name, status.changes.get(name, ()), successes)]


def _plan(
    graph: StageGraph, reasons: Mapping[str, list[StageReason]], files: Mapping[str, StageFiles], paths: Paths
) -> tuple[PlannedStage, ...]:
    planned: dict[str, PlannedStage] = {}
    for name, own in reasons.items():
        above = [planned[other] for other in graph.stages if other in graph.upstream[name] and other in planned]
        stale = [stage for stage in above if stage.state != "fresh"]
        # What a stage above makes anew is not there yet, or is not as it will be.
        kept = tuple(reason for reason in own if not (reason.kind == "output" and stale))
        runs = any(reason.kind != "output" for reason in kept)
        causes = tuple(_causes(stale))
        state: PlannedState = "runs" if runs else "may run" if kept or stale else "fresh"
        reads = [path for stage in stale if {name, stage.name} <= files.keys() for path in _shared(files[name], files[stage.name])]
        planned[name] = PlannedStage(name, state, kept, causes, tuple(dict.fromkeys(reads)), read_execution(name, paths))
    return tuple(planned.values())


def _causes(stale: list[PlannedStage]) -> list[Cause]:
    """The stages above with reasons of their own, each once, by the shortest way; a reason that a nearer one has is left out."""
    found: dict[str, Cause] = {}
    for stage in stale:
        direct = [Cause(stage.name, (), stage.reasons)] if stage.reasons else []
        further = [Cause(cause.stage, (*cause.through, stage.name), cause.reasons) for cause in stage.causes]
        for cause in (*direct, *further):
            if cause.stage not in found or len(cause.through) < len(found[cause.stage].through):
                found[cause.stage] = cause
    told: set[StageReason] = set()
    causes = []
    for cause in sorted(found.values(), key=lambda one: len(one.through)):
        if new := tuple(reason for reason in cause.reasons if reason not in told):
            told.update(new)
            causes.append(Cause(cause.stage, cause.through, new))
    return causes
