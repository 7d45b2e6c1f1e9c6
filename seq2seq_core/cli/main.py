"""The command's entry point. Imports stay light: each command imports what it needs when it runs."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import typer

import seq2seq_core
from seq2seq_core.cli import (
    corpus_commands,
    learning_curve_command,
    model_commands,
    pipeline_commands,
    stage_commands,
    sweep_command,
)
from seq2seq_core.proxies import exempt_loopback
from seq2seq_core.cli.unread_output import ends_when_unread
from seq2seq_core.stage_table import STAGES

HELP = f"""Train, retrain, check and serve your own sequence-to-sequence models.

The pipeline is one graph, dvc.yaml: {" → ".join(stage.name for stage in STAGES if stage.is_tracked)}.
`s2s retrain` (Prefect) or `dvc repro` runs the stale stages; each stage is also a command of its own.

Start:  s2s sample-corpus, then s2s retrain, then s2s ui.
Your own corpus:  s2s configure --corpus FOLDER, then s2s retrain.
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
for group in (pipeline_commands, stage_commands, corpus_commands, model_commands, learning_curve_command, sweep_command):
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


def _keep_docstrings() -> None:
    """Starts this command again if Python was told to drop docstrings (``-OO``): ``--help`` and Great Expectations need them."""
    if sys.flags.optimize > 1 and os.environ.get("PYTHONOPTIMIZE") != "1":
        words = [word for word in sys.orig_argv[1:] if word not in ("-O", "-OO")]
        os.execve(sys.executable, [sys.executable, *words], {**os.environ, "PYTHONOPTIMIZE": "1"})


def main() -> None:
    """Runs the command line."""
    _keep_docstrings()
    # Threads that spin while they wait take the cores from the thread that works: on a busy machine, training took 2.5 to 3
    # times as long. The variable must be set before PyTorch is loaded. It changes no result.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    exempt_loopback()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows its code point
            stream.reconfigure(errors="backslashreplace")
    with ends_when_unread():
        app(prog_name="s2s")


if __name__ == "__main__":  # torchrun -m seq2seq_core.cli.main train
    main()
