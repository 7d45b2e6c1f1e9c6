"""Options that the commands ``s2s import ...`` share."""

from __future__ import annotations

from typing import Annotated

import typer

FolderName = Annotated[
    str, typer.Option("--name", help="Name of the folder in data/raw; by default from the source.", show_default=False)
]
NeededName = Annotated[str, typer.Option("--name", help="Name of the folder in data/raw.")]
Licence = Annotated[
    str, typer.Option("--licence", help="The licence in your words, where the source does not state it.", show_default=False)
]
MaxGigabytes = Annotated[
    float, typer.Option("--max-gigabytes", min=0.0, help="Most to fetch, and most to unpack, whatever an archive claims.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched, its size and its licence; change nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the folder if it is there, also one that no import made.")]
Languages = Annotated[
    str,
    typer.Option(
        "--languages",
        help="The two languages of TMX files, such as de,en; by default those of each.",
        metavar="ONE,OTHER",
        show_default=False,
    ),
]
NeededLanguages = Annotated[str, typer.Option("--languages", help="The two languages, such as de,en.", metavar="ONE,OTHER")]
Track = Annotated[bool, typer.Option("--track/--no-track", help="Whether to put the folder under DVC (dvc add).")]
