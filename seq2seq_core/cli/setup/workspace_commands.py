"""The commands ``s2s init`` and ``s2s upgrade``: a workspace of the installed package, and its files at another version."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from seq2seq_core import __version__
from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Workspace, resolve_workspace

PANEL = "The pipeline"


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("init", rich_help_panel=PANEL)(init)
    app.command("upgrade", rich_help_panel=PANEL)(upgrade)


def init(
    folder: Annotated[Path, typer.Argument(help="The folder of the workspace; made where it is missing.", metavar="FOLDER")],
    debug: Debug = False,
) -> None:
    """Make a workspace for the installed package: graph, settings and deployments in git and DVC, and no code.

    It writes dvc.yaml, params.yaml (of the sample corpus), prefect.yaml, requirements.txt with the installed version, .gitignore,
    .dvcignore and data/raw, and calls `git init` and `dvc init` where they are missing. It overwrites nothing (docs/workspaces.md).

    Example: s2s init dates && cd dates && s2s sample-corpus && s2s retrain
    """
    with boundary(debug):
        from flows.workspaces.new_workspace import make_workspace

        make_workspace(folder, typer.echo)
        typer.echo(f"Next: cd {quote(str(folder))} && git add -A && git commit -m Workspace")
        typer.echo("Then: s2s sample-corpus && s2s retrain, or s2s configure --corpus FOLDER && s2s retrain")


def upgrade(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write the changes without asking.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Bring the files of a workspace of `s2s init` to the installed version, and show the difference.

    What you have changed stays: each file is merged as git does it. Lines that both have changed get git's marks, and the command
    ends with exit code 2. params.yaml is yours and is not touched. It refuses where changes are in no commit.

    Example: s2s upgrade --yes && git commit -am Upgrade
    """
    with boundary(debug):
        from flows.workspaces.workspace_upgrade import plan_upgrade, write_upgrade
        from seq2seq_core.config.ready_settings import load_workspace_settings
        from seq2seq_core.errors import ConfigError

        paths = resolve_workspace(workspace)
        found = plan_upgrade(paths.root)
        for line in (*found.notes, *(change.difference().rstrip("\n") for change in found.changes)):
            typer.echo(line)
        if not found.changes and found.version == __version__:
            typer.echo(f"the files are those of {__version__} already")
            return
        if found.changes and not yes:
            typer.confirm(f"Bring these files from {found.version} to {__version__}?", abort=True)
        write_upgrade(paths.root, found)
        typer.echo(f"the workspace belongs to {__version__} now; `git diff` shows the changes, `s2s why` what will run")
        try:
            load_workspace_settings(paths)
        except ConfigError as error:
            typer.echo(f"warning: {error}", err=True)
