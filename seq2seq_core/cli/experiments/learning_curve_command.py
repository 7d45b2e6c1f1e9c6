"""The command ``s2s learning-curve``: dev score by size of train."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Verbose, Workspace, resolve_workspace
from seq2seq_core.errors import UserError

PANEL = "Corpora and settings"


def add_to(app: typer.Typer) -> None:
    """Adds the command of this module to the application."""
    app.command("learning-curve", rich_help_panel=PANEL)(learning_curve)


def learning_curve(
    fraction: Annotated[
        list[str] | None,
        typer.Option("--fraction", help="A part of train such as 1/8 or 0.3; may be repeated. [default: 1/8, 1/4, 1/2, 1]"),
    ] = None,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Train on growing parts of the tokenised corpus and show the dev score of each: would more data help?

    Reads data/tokenized and the settings of params.yaml; touches no output of the pipeline. Ctrl-C saves the state
    (.s2s/learning_curve). The same command continues from there, and trains no finished part again.
    """
    with boundary(debug, verbose):
        from seq2seq_core.cli.initial_weights_option import pin_initial_weights
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.serving.found_models import find_judges
        from seq2seq_core.stages.learning_curve import DEFAULT_FRACTIONS, check_fractions, describe_curve, run_learning_curve
        from seq2seq_core.tracking.session import open_stage_recorder

        paths = resolve_workspace(workspace)
        settings = load_settings(paths.params)
        fractions = [parse_fraction(text) for text in fraction] if fraction else list(DEFAULT_FRACTIONS)
        check_fractions(fractions)
        settings, initial = pin_initial_weights(settings, paths)
        with open_stage_recorder("learning-curve", settings, paths) as recorder:
            results = run_learning_curve(settings, paths, recorder, fractions, initial, find_judges(settings.train, paths))
        typer.echo(describe_curve(results), nl=False)


def parse_fraction(text: str) -> Fraction:
    """Parses a fraction.

    Args:
        text: such as ``1/8`` or ``0.3``.

    Raises:
        UserError: the text is not a number.
    """
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UserError(f"--fraction: must be a number such as 1/8 or 0.3, got {text!r}") from None
