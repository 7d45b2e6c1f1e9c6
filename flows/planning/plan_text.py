"""The plan of a run for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from flows.graph.preconditions import find_remedy
from flows.planning.run_plan import PlannedStage, RunPlan
from seq2seq_core.console import format_seconds
from seq2seq_core.stage_history.stage_reason import StageReason

MOST_REASONS = 12
WORDS = {"fresh": "is up to date", "runs": "will run", "may run": "may run"}


def describe_plan(plan: RunPlan) -> str:
    """The stages that would run with their reasons and the cost of the last time.

    Args:
        plan: of the run.
    """
    lines = [headline(plan)]
    for stage in plan.stale:
        lines += describe_stage(stage, with_causes=stage.state != "runs")
    return "\n".join([*lines, *trouble(plan)])


def headline(plan: RunPlan) -> str:
    """How many stages would run, and how long they took last time.

    Args:
        plan: of the run.
    """
    stale = plan.stale
    if not stale:
        return f"all {len(plan.stages)} stages are up to date"
    certain = sum(stage.state == "runs" for stage in stale)
    more = f", {len(stale) - certain} more may run" if len(stale) > certain else ""
    return f"{certain} of {len(plan.stages)} stages will run{more}; {_total(stale)}"


def _total(stale: list[PlannedStage]) -> str:
    known = [stage.last.seconds for stage in stale if stage.last is not None]
    if not known:
        return "what they cost is not known yet"
    unknown = len(stale) - len(known)
    rest = f", without {unknown} whose cost is not known" if unknown else ""
    return f"last time they took {format_seconds(sum(known))}{rest}"


def trouble(plan: RunPlan) -> list[str]:
    """What is missing, and what could not be found out.

    Args:
        plan: of the run.
    """
    missing = [f"missing: {path}, which {stage} reads ({find_remedy(path)})" for path, stage in plan.missing.items()]
    return [*missing, *(f"note: {note}" for note in plan.notes)]


def describe_stage(stage: PlannedStage, *, with_causes: bool = True) -> list[str]:
    """A stage's state, cost and reasons, a line each.

    Args:
        stage: in the plan.
        with_causes: whether to name the reasons of the stages above.
    """
    cost = f" (last time {stage.last.cost})" if stage.last is not None else ""
    lines = [f"{stage.name} {WORDS[stage.state]}{cost}"]
    if stage.state == "fresh":
        return [*lines, *([f"    it last ran for: {why}" for why in stage.last.why[:MOST_REASONS]] if stage.last else [])]
    lines += [f"    {line}" for line in _reason_lines(stage.reasons)]
    for cause in stage.causes if with_causes else ():
        way = " → ".join((cause.stage, *cause.through))
        lines += [f"    through {way}: {reason.text}" for reason in cause.reasons[:MOST_REASONS]]
    if stage.state == "may run":
        verb = "comes" if len(stage.reads) == 1 else "come"
        what = f" if {', '.join(stage.reads)} {verb} out as before" if stage.reads else ""
        lines.append(f"    it is skipped{what or ' where DVC has its outputs in its cache'}")
    return lines


def _reason_lines(reasons: tuple[StageReason, ...]) -> Iterator[str]:
    for reason in reasons[:MOST_REASONS]:
        yield reason.text
        yield from (f"  {line}" for line in reason.details)
    if len(reasons) > MOST_REASONS:
        yield f"and {len(reasons) - MOST_REASONS} more reasons (--json shows all)"
