"""The command ``s2s remote add``: a DVC remote, checked before it is written."""

from __future__ import annotations

from typing import Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Workspace, resolve_workspace

PANEL = "The pipeline"

remote = typer.Typer(name="remote", no_args_is_help=True, help="The store that holds the data of DVC for other machines.")


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.add_typer(remote, rich_help_panel=PANEL)


@remote.callback()
def _root() -> None:
    """The store that holds the data of DVC for other machines."""


@remote.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name of the remote.", metavar="NAME")],
    url: Annotated[
        str, typer.Argument(help="Address of the store, such as s3://bucket/dvc or a folder, without credentials.", metavar="URL")
    ],
    default: Annotated[bool, typer.Option("--default", "-d", help="Use it where no remote is named.")] = False,
    endpoint: Annotated[
        str, typer.Option("--endpoint", help="Address of a server that speaks S3, such as MinIO's.", show_default=False)
    ] = "",
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Add a DVC remote that other machines reach, once its store has answered.

    Credentials come from the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or from .dvc/config.local; git tracks
    .dvc/config, so that an address with credentials is refused.

    Example:
      s2s remote add store s3://bucket/dvc --default
    """
    with boundary(debug):
        from flows.dvc.remote_setup import add_remote

        add_remote(resolve_workspace(workspace).root, name, url, default, endpoint, typer.echo)
