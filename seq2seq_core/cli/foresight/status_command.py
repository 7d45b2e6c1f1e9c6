"""The command that shows the state of a workspace on one screen."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Verbose, Workspace, resolve_workspace


def add_to(app: typer.Typer) -> None:
    """Adds the command of this module to the application."""
    app.command("status", rich_help_panel="The pipeline")(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with everything.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Show the state of this workspace: what is fresh and what would run, champion, last run, schedule, and what is wrong.

    Nothing is executed. MLflow and Prefect are asked, and waited for 20 seconds at most; what they do not answer is named as such.

    Exit code 0, whatever is wrong: `s2s doctor` is for scripts that need to know.
    """
    with boundary(debug, verbose):
        from flows.overview.overview_text import describe_overview
        from flows.overview.workspace_overview import read_overview

        overview = read_overview(resolve_workspace(workspace))
        typer.echo(json.dumps(overview.as_values(), ensure_ascii=False, indent=1) if as_json else describe_overview(overview))
