"""Options that several commands share, and the workspace that they resolve to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seq2seq_core.artifacts import Paths, find_workspace
from seq2seq_core.errors import UserError

Workspace = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-C",
        help="Folder with dvc.yaml and params.yaml; by default the nearest one at or above this folder.",
        show_default=False,
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback with every error (also: S2S_DEBUG=1).")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show debug log lines.")]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="A bundle folder, or a registered model such as @champion, models:/dates@champion or models:/dates/3; "
        "by default the workspace's models/served.",
        show_default=False,
    ),
]
FORMS = (
    "its number, @ALIAS, models:/NAME/VERSION or models:/NAME@ALIAS, a bundle's folder, a bundle's digest or its first 8 digits, "
    "or the header X-S2S-Model of an answer"
)
"""The forms of a reference to a registered version, which every command takes."""
Reference = Annotated[str, typer.Argument(help=f"The version: {FORMS}.", metavar="REF")]


def resolve_workspace(folder: Path | None) -> Paths:
    """The workspace of a command.

    Args:
        folder: the value of ``--workspace``; None for the nearest workspace at or above the current folder.

    Raises:
        UserError: there is no ``dvc.yaml``.
    """
    if folder is not None:
        if not (folder / "dvc.yaml").is_file():
            raise UserError(
                f"{folder}: no dvc.yaml there; expected a workspace, as `s2s init FOLDER` makes one, or a clone of the repository"
            )
        return Paths(folder.resolve())
    found = find_workspace(Path.cwd())
    if found is None:
        raise UserError(
            f"{Path.cwd()}: no dvc.yaml here or above; go into a workspace, name one with --workspace, or make one by `s2s init`"
        )
    return found
