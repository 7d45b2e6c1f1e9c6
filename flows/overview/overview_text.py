"""The state of a workspace for a terminal: one screen."""

from __future__ import annotations

from collections.abc import Iterator

from flows.overview.workspace_overview import WorkspaceOverview
from flows.planning.plan_text import WORDS, headline
from flows.planning.run_plan import PlannedStage, RunPlan
from seq2seq_core.json_text import shorten

LINE_CHARACTERS = 150


def describe_overview(overview: WorkspaceOverview) -> str:
    """The state, a line for each fact.

    Args:
        overview: of the workspace.
    """
    lines = [f"{overview.model}, in {overview.folder}", *_stages(overview.plan)]
    lines.append(f"forecast:  {overview.forecast or 'none: `s2s preflight` measures on a sample what a run will cost'}")
    lines += [f"at work:   {overview.at_work}"] if overview.at_work else []
    lines += [f"champion:  {_champion(overview)}", f"last run:  {_last_run(overview)}", *_schedule(overview)]
    troubles = [f"  {shorten(line, LINE_CHARACTERS * 2)}" for trouble in overview.troubles for line in _lines(trouble.describe())]
    notes = [f"  note: {note}" for note in (overview.plan.notes if overview.plan is not None else ())]
    return "\n".join([*lines, *(["wrong:", *troubles] if troubles else ["nothing is wrong"]), *notes])


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def _stages(plan: RunPlan | None) -> Iterator[str]:
    if plan is None:
        yield "stages:    what would run is not known"
        return
    yield f"stages:    {headline(plan)}"
    width = max((len(stage.name) for stage in plan.stages), default=0)
    for stage in plan.stages:
        cost = f"last time {stage.last.cost}" if stage.last is not None else ""
        yield f"  {stage.name:{width}}  {WORDS[stage.state]:13}  {cost}".rstrip()
        if stage.state != "fresh":
            yield f"  {'':{width}}    {shorten(_why(stage), LINE_CHARACTERS)}"


def _why(stage: PlannedStage) -> str:
    """The first reason, and how many more there are."""
    if stage.reasons:
        more = f" (and {len(stage.reasons) - 1} more: `s2s why {stage.name}`)" if len(stage.reasons) > 1 else ""
        return f"{stage.reasons[0].text}{more}"
    return f"through {', '.join(cause.stage for cause in stage.causes)}"


def _champion(overview: WorkspaceOverview) -> str:
    champion = overview.champion
    if champion is None:
        return "not known"
    if not champion.version:
        return "none yet"
    return f"version {champion.version} of {champion.since}: {shorten(champion.summary, LINE_CHARACTERS)}"


def _last_run(overview: WorkspaceOverview) -> str:
    """The last run as Prefect, MLflow and the files tell it."""
    found = []
    if overview.prefect is not None and overview.prefect.last_run:
        found.append(f"{overview.prefect.last_run} (Prefect)")
    if overview.champion is not None and overview.champion.last_run:
        found.append(f"{overview.champion.last_run} (MLflow)")
    found += [f"last stage: {overview.last_stage}"] if overview.last_stage else []
    return f"\n{'':11}".join(found) or "none here"


def _schedule(overview: WorkspaceOverview) -> Iterator[str]:
    prefect = overview.prefect
    if prefect is None:
        yield "schedule:  not known"
    elif not prefect.address:
        yield "schedule:  none: no Prefect server is configured"
    elif not prefect.schedules:
        yield f"schedule:  none: {prefect.address} has no deployment of this model (`prefect deploy --all`)"
    else:
        yield f"schedule:  {prefect.schedules[0]}"
        yield from (f"{'':11}{line}" for line in prefect.schedules[1:])
