"""The command that measures on a sample what a run will cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Verbose, Workspace, resolve_workspace
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.artifacts import Paths
    from seq2seq_core.config.settings import Settings

DEFAULT_ROWS = 12_000


def add_to(app: typer.Typer) -> None:
    """Adds the command of this module to the application."""
    app.command("preflight", rich_help_panel="The pipeline")(preflight)


def preflight(
    rows: Annotated[
        int, typer.Option(help="Rows of train in the sample; more take longer and foretell better.", min=60)
    ] = DEFAULT_ROWS,
    memory: Annotated[str, typer.Option(help="Memory that the run may use, such as '8 GB'; by default what is free.")] = "",
    disk: Annotated[str, typer.Option(help="Disk that the run may use, such as '20 GB'; by default what is free.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with everything.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Say in some minutes what a run will cost: time of each stage, memory, disk, and whether it fits.

    The whole graph runs on a sample of the corpus in a throw-away workspace, and the configured model makes real updates. The
    forecast is kept (.s2s/preflight): each later run is compared with it, and the next forecast learns from that. Ctrl-C leaves
    nothing behind.

    Exit code 0: the run fits; 2: it cannot, with the setting that would fit.

    Examples:
      s2s preflight

      s2s preflight --memory "16 GB"
    """
    with boundary(debug, verbose, cleans_up=True):
        from seq2seq_core.config.ready_settings import load_workspace_settings

        paths = resolve_workspace(workspace)
        show_preflight(load_workspace_settings(paths), paths, rows, memory, disk, as_json)


def show_preflight(
    settings: Settings, paths: Paths, rows: int = DEFAULT_ROWS, memory: str = "", disk: str = "", as_json: bool = False
) -> None:
    """Runs a preflight and shows the forecast.

    Args:
        settings: of the run.
        paths: the workspace.
        rows: of train in the sample.
        memory: that the run may use; empty: what is free.
        disk: that the run may use; empty: what is free.
        as_json: whether it is shown as JSON.

    Raises:
        UserError: the run cannot fit.
    """
    from seq2seq_core.preflight.machine_room import find_room
    from seq2seq_core.preflight.preflight_run import run_preflight
    from seq2seq_core.preflight.preflight_text import describe_preflight, preflight_values

    found = run_preflight(settings, paths, find_room(paths.root, memory, disk), rows)
    typer.echo(json.dumps(preflight_values(found), ensure_ascii=False, indent=1) if as_json else describe_preflight(found))
    if found.refusals:
        raise UserError("\n".join(["this run cannot fit:", *(f"  {line}" for line in found.refusals)]))
