"""Commands that drive the whole graph through Prefect, and show its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Verbose, Workspace, resolve_workspace

if TYPE_CHECKING:
    from seq2seq_core.artifacts import Paths

PANEL = "The pipeline"


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("retrain", rich_help_panel=PANEL)(retrain)
    app.command("setup-prefect", rich_help_panel=PANEL)(setup_prefect)
    app.command("ui", rich_help_panel=PANEL)(ui)


def retrain(
    workspace: Workspace = None,
    force: Annotated[
        list[str] | None,
        typer.Option("--force", "-f", help="A stage to run although it is up to date; may be repeated.", show_default=False),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", "-s", help="A setting for this run only, such as train.max_steps=200; may be repeated.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say which stages would run, why, and what they cost last time.")
    ] = False,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="First measure on a sample what the run will cost; end if it cannot fit.")
    ] = False,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Run every stale stage of dvc.yaml as a Prefect flow; stages that are up to date are skipped.

    Needs no Prefect server. With one, set PREFECT_API_URL, and the run appears on its pages.
    The work is that of `dvc repro`: stages that one of them ran are up to date for the other.
    With --dry-run nothing is executed and nothing written: no server, no run in MLflow, no lock (docs/status.md).
    """
    with boundary(debug, verbose):
        paths = resolve_workspace(workspace)
        if dry_run:
            from flows.planning.plan_text import describe_plan
            from flows.planning.run_plan import plan_run

            typer.echo(describe_plan(plan_run(paths, force or [], assignments or [])))
            return
        if preflight:
            _measure_first(paths, assignments or [])
        from flows.launch import run_retrain

        summary = run_retrain(paths.root, force=force or [], assignments=assignments or [])
        typer.echo(summary.describe())


def _measure_first(paths: Paths, assignments: list[str]) -> None:
    """Shows what the run will cost; raises where it cannot fit."""
    from flows.dvc.one_run_settings import changed_settings
    from seq2seq_core.cli.foresight.preflight_command import show_preflight
    from seq2seq_core.config.ready_settings import load_workspace_settings

    show_preflight(changed_settings(paths, assignments)[0] if assignments else load_workspace_settings(paths), paths)


def setup_prefect(workspace: Workspace = None, debug: Debug = False) -> None:
    """Create the work pools, the concurrency limits and the automations of runtime.flow on the Prefect server.

    Run it before the first `prefect deploy --all`, and after a change of these settings. Running it again changes nothing.
    The automations mark runs whose process has died as crashed, and notify the webhook of crashed and late runs.
    """
    with boundary(debug):
        from flows.server.deployment_setup import setup_prefect as create_on_server
        from seq2seq_core.config.settings import load_settings

        settings = load_settings(resolve_workspace(workspace).params)
        for line in create_on_server(settings):
            typer.echo(line)
        from flows.machines.pool_deployment import setup_stage_pools

        for line in setup_stage_pools(settings):
            typer.echo(line)


def ui(
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow page.", min=1, max=65535)] = 5000,
    prefect_port: Annotated[int, typer.Option(help="Port of the Prefect page.", min=1, max=65535)] = 4200,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Start the MLflow and Prefect pages of this workspace; Ctrl-C stops both."""
    with boundary(debug):
        from flows.server.pages import run_pages

        run_pages(resolve_workspace(workspace).root, mlflow_port=mlflow_port, prefect_port=prefect_port)
