"""The command that says why stages would run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Verbose, Workspace, resolve_workspace

if TYPE_CHECKING:
    from seq2seq_core.artifacts import Paths


def add_to(app: typer.Typer) -> None:
    """Adds the command of this module to the application."""
    app.command("why", rich_help_panel="The pipeline")(why)


def why(
    stage: Annotated[str, typer.Argument(help="A stage of dvc.yaml; by default all that would run.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with everything.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Say which stages would run and why: the file and its rows, the setting with both values, the function and line of the code.

    A stage below one that runs may run: it is skipped where what it reads comes out as before. Each stage has what it cost last
    time. Of a stage that is up to date, `s2s why STAGE` says why it ran last.

    Nothing is executed and nothing written. What is compared is dvc.lock, so that it does not matter whether `dvc repro` or
    `s2s retrain` ran last.

    Examples:
      s2s why

      s2s why train
    """
    with boundary(debug, verbose):
        _show(resolve_workspace(workspace), stage, as_json)


def _show(paths: Paths, stage: str, as_json: bool) -> None:
    from dataclasses import asdict

    from flows.planning.plan_text import describe_plan, describe_stage, trouble
    from flows.planning.run_plan import make_plan
    from seq2seq_core.config.ready_settings import load_workspace_settings

    plan = make_plan(paths, load_workspace_settings(paths))
    if not stage:
        typer.echo(json.dumps(plan.as_values(), ensure_ascii=False, indent=1) if as_json else describe_plan(plan))
        return
    found = plan.find(stage)
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False, indent=1))
    else:
        typer.echo("\n".join([*describe_stage(found), *trouble(plan)]))
