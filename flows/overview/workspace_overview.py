"""The state of a workspace: its files first, and of servers what they answer in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from flows.dvc.command import describe_holders
from flows.graph.preconditions import find_remedy
from flows.overview.bounded_question import BoundedQuestion
from flows.overview.prefect_facts import PrefectFacts, read_prefect
from flows.overview.troubles import Trouble, find_low_disk, find_troubles
from flows.planning.run_plan import RunPlan, make_plan
from flows.processes.workspace_lock import find_holder
from flows.reports.summary import read_receipt
from flows.server.run_names import workspace_model
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.ready_settings import load_workspace_settings
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import Seq2SeqError, WorkspaceBusy
from seq2seq_core.forecasts.forecast import read_forecast
from seq2seq_core.outcome import read_outcome
from seq2seq_core.registry.standing.champion_now import ChampionNow, read_champion
from seq2seq_core.stage_table import WORKING_STAGES

SERVER_SECONDS = 20.0
"""Longest time from the start of the command until a server has answered; loading its client takes most of it."""


@dataclass(frozen=True)
class WorkspaceOverview:
    """The state of a workspace.

    Attributes:
        model: ``register.model_name``.
        folder: of the workspace.
        plan: what would run; None: it is not known, and ``troubles`` say why.
        champion: what MLflow has; None: it did not answer.
        last_stage: the stage that ended last here, how and when; empty: none has.
        at_work: who works in the workspace; empty: nobody does.
        prefect: what the Prefect server has; None: it did not answer.
        troubles: what is wrong.
        forecast: what a whole run will take, by the last ``s2s preflight``; empty: none has been made.
    """

    model: str
    folder: str
    plan: RunPlan | None = None
    champion: ChampionNow | None = None
    last_stage: str = ""
    at_work: str = ""
    prefect: PrefectFacts | None = None
    troubles: list[Trouble] = field(default_factory=list)
    forecast: str = ""

    def as_values(self) -> dict[str, Any]:
        """The state as values of JSON's types."""
        values = asdict(self)
        values["plan"] = self.plan.as_values() if self.plan is not None else None
        return values


def read_overview(paths: Paths, server_seconds: float = SERVER_SECONDS) -> WorkspaceOverview:
    """The state of a workspace; whatever is wrong with it is part of the answer, not an error.

    Args:
        paths: the workspace.
        server_seconds: longest wait for MLflow and for Prefect, from now.
    """
    deadline, model, troubles = time.monotonic() + server_seconds, workspace_model(paths.root), list[Trouble]()
    asked_prefect = BoundedQuestion(lambda: read_prefect(model, paths))
    settings, plan, at_work, champion = None, None, _describe_holder(paths), None
    try:
        settings = load_workspace_settings(paths)
    except Seq2SeqError as error:
        troubles.append(Trouble(str(error), "`s2s check-settings` lists every fault"))
    if settings is not None:
        champion, plan, at_work = _ask(settings, paths, deadline, server_seconds, troubles, at_work)
    prefect, fault = asked_prefect.answer(deadline, server_seconds)
    if fault:
        troubles.append(Trouble(f"Prefect: {fault}", "start the server, or unset PREFECT_API_URL to work without one"))
    fresh = {stage.name for stage in plan.stages if stage.state == "fresh"} if plan is not None else set()
    troubles += [*find_low_disk(paths), *_missing(plan), *find_troubles(paths, fresh), *_challenger(paths, champion)]
    forecast = _describe_forecast(paths)
    return WorkspaceOverview(model, str(paths.root), plan, champion, _last_stage(paths), at_work, prefect, troubles, forecast)


def _ask(
    settings: Settings, paths: Paths, deadline: float, seconds: float, troubles: list[Trouble], at_work: str
) -> tuple[ChampionNow | None, RunPlan | None, str]:
    """The champion, the plan, and who works here."""
    asked = BoundedQuestion(lambda: read_champion(settings, paths))
    plan = None
    try:
        plan = make_plan(paths, settings)
    except WorkspaceBusy as error:
        at_work = at_work or describe_holders(str(error).splitlines())
    except Seq2SeqError as error:
        troubles.append(Trouble(str(error), "`s2s doctor` looks further"))
    champion, fault = asked.answer(deadline, seconds)
    if fault:
        troubles.append(Trouble(f"MLflow: {fault}", "runs wait for it, and keep their records meanwhile"))
    return champion, plan, at_work


def _describe_holder(paths: Paths) -> str:
    holder = find_holder(paths)
    return "" if holder is None else f"a retrain (process {holder})"


def _describe_forecast(paths: Paths) -> str:
    """What a whole run will take; empty: no preflight has been made."""
    found = read_forecast(paths)
    if found is None:
        return ""
    day = f"{datetime.fromtimestamp(found.made, UTC):%Y-%m-%d}"
    return f"{format_seconds(found.seconds.low)} to {format_seconds(found.seconds.high)} for all stages (`s2s preflight` of {day})"


def _last_stage(paths: Paths) -> str:
    """The stage that ended last, how and when; empty: none has."""
    ends = []
    for stage in WORKING_STAGES:
        file, outcome = paths.outcomes / f"{stage.name}.json", read_outcome(paths.outcomes, stage.name)
        if outcome is not None:
            ends.append((file.stat().st_mtime, stage.name, outcome.kind.replace("_", " ")))
    if not ends:
        return ""
    moment, name, kind = max(ends)
    return f"{name}, {kind}, {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"


def _missing(plan: RunPlan | None) -> Iterator[Trouble]:
    for path, stage in (plan.missing if plan is not None else {}).items():
        yield Trouble(f"{path} is missing, which {stage} reads", find_remedy(path))


def _challenger(paths: Paths, champion: ChampionNow | None) -> Iterator[Trouble]:
    """The last version, if it lost against the champion and was not promoted by hand since."""
    receipt = read_receipt(paths)
    is_champion = receipt is not None and champion is not None and champion.version == str(receipt.version)
    if receipt is not None and receipt.decision == "challenger" and not is_champion:
        text = f"the last version, {receipt.version}, is no champion: {receipt.reason}"
        yield Trouble(text, f"`s2s promote {receipt.version} --force --reason TEXT` overrules it")
