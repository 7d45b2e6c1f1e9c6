"""The command that writes the report of the last run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Workspace, resolve_workspace
from seq2seq_core.errors import UserError


def add_to(app: typer.Typer) -> None:
    """Adds the command of this module to the application."""
    app.command("report", rich_help_panel="The pipeline")(report)


def report(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the page into this file; by default reports/run.html.", show_default=False),
    ] = None,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Write the report of the last run: one HTML page with everything that happened to data and model.

    Stages, test scores, worst parts of the test set, broken contracts with their first rows, funnel, leakage, drift, samples of
    dropped, changed and kept rows, tokenisation, training curve. The page loads nothing from elsewhere.

    A stage that fails writes it, and so does the last stage. This command writes it again from what is on the disk, also after a
    failed validate. It runs no stage.

    Example: s2s report --output run.html
    """
    with boundary(debug):
        from seq2seq_core.config.ready_settings import load_workspace_settings
        from seq2seq_core.run_report.report_page import write_report

        paths = resolve_workspace(workspace)
        try:
            title = load_workspace_settings(paths).register_.model_name
        except UserError:  # the report does not depend on settings that may be at fault
            title = paths.root.name
        typer.echo(write_report(paths, title, file=output))
