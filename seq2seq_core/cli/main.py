"""The command's entry point. Imports stay light: each command imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

import seq2seq_core
from seq2seq_core.cli import (
    corpus_commands,
    lineage_commands,
    model_commands,
    pipeline_commands,
    registry_commands,
    stage_commands,
    sweep_command,
)
from seq2seq_core.cli.corpus_imports import import_commands
from seq2seq_core.cli.experiments import ablate_command, learning_curve_command
from seq2seq_core.cli.foresight import doctor_command, preflight_command, status_command, why_command
from seq2seq_core.cli.process_setup import set_up_process
from seq2seq_core.cli.reporting import report_command, row_commands
from seq2seq_core.cli.setup import remote_command, workspace_commands
from seq2seq_core.cli.unread_output import ends_when_unread
from seq2seq_core.stage_table import STAGES

HELP = f"""Train, retrain, check and serve your own sequence-to-sequence models.

The pipeline is one graph, dvc.yaml: {" → ".join(stage.name for stage in STAGES if stage.is_tracked)}.
`s2s retrain` (Prefect) or `dvc repro` runs the stale stages; each stage is also a command of its own.

New workspace:  s2s init FOLDER.
Start:  s2s sample-corpus, then s2s retrain, then s2s ui.
Your own corpus:  s2s configure --corpus FOLDER, then s2s retrain.
A public corpus:  s2s import --help.
What can be set:  s2s settings.

Exit codes: 0 done, 1 a crash, 2 a fault for you to mend (the message says what), 130 and 143 interrupted.
"""

app = typer.Typer(
    name="s2s",
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    workspace_commands,
    pipeline_commands,
    remote_command,
    stage_commands,
    why_command,
    status_command,
    preflight_command,
    doctor_command,
    report_command,
    corpus_commands,
    row_commands,
    import_commands,
    model_commands,
    registry_commands,
    lineage_commands,
    learning_curve_command,
    ablate_command,
    sweep_command,
):
    group.add_to(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"seq2seq-flows {seq2seq_core.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line."""
    set_up_process()
    with ends_when_unread():
        app(prog_name="s2s")


if __name__ == "__main__":  # torchrun -m seq2seq_core.cli.main train
    main()
