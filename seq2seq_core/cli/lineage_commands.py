"""Commands about where a version comes from: lineage and reproduce."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Reference, Verbose, Workspace, resolve_workspace
from seq2seq_core.cli.registry_commands import PANEL
from seq2seq_core.errors import EXIT_USER_FAULT, UserError


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("lineage", rich_help_panel=PANEL)(lineage)
    app.command("reproduce", rich_help_panel=PANEL)(reproduce)


def lineage(
    reference: Reference,
    other: Annotated[
        str | None, typer.Argument(help="A second version: shows what differs from the first.", show_default=False, metavar="REF")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with everything.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", help="Rows that are listed of each file; 0: all.", min=0)] = 20,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Show what a version was made of: code, corpus, settings, packages, machine, parents, decisions.

    With two versions, it shows what differs: settings, code, packages, and the rows of the corpus with file and line.

    Exit code 2: there is no such version, or a statement of its lineage does not hold; the message says which.

    Examples:
      s2s lineage models:/dates@champion

      s2s lineage 1 2
    """
    with boundary(debug):
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.lineage.comparison import compare
        from seq2seq_core.lineage.decisions import read_decisions
        from seq2seq_core.lineage.lineage_storage import read_lineage
        from seq2seq_core.lineage.lineage_tree import comparison_tree, lineage_tree
        from seq2seq_core.lineage.lookup import find_reference
        from seq2seq_core.registry.history import to_json

        paths = resolve_workspace(workspace)
        settings = load_settings(paths.params)
        lineages = [read_lineage(find_reference(one, settings, paths), paths) for one in (reference, other) if one is not None]
        faults = [fault for one in lineages for fault in one.faults(paths)]
        with _despite(faults):
            if other is not None:
                comparison = compare(lineages[0], lineages[1], paths)
                shown = {**comparison.as_json(), "faults": faults}
                typer.echo(json.dumps(shown, ensure_ascii=False) if as_json else comparison_tree(comparison, limit))
            else:
                decisions = read_decisions(lineages[0].version, paths)
                shown = {**lineages[0].record, "decisions": [json.loads(to_json(one)) for one in decisions], "faults": faults}
                typer.echo(json.dumps(shown, ensure_ascii=False) if as_json else lineage_tree(lineages[0], decisions))


@contextmanager
def _despite(faults: list[str]) -> Iterator[None]:
    """Shows a lineage in the ``with`` block although statements of it do not hold, and fails by them afterwards."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError):
        if not faults:
            raise
    if faults:
        from seq2seq_core.bundle.model_seal import WAY_OUT

        listed = "\n  ".join(faults)
        raise UserError(f"the lineage has changed since it was recorded; these statements do not hold:\n  {listed}\n{WAY_OUT}")


def reproduce(
    reference: Reference,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", help="A new folder for the clean copy, which stays; by default one that is removed.", show_default=False
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="Largest difference of a weight where the machine is another.", min=0.0)
    ] = 1e-3,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Make a version again from its commit and corpus, and compare the weights.

    The graph runs in a clean copy of the repository, without any cached output, up to the stage export. On the same kind of
    processor with as many threads the weights must be the same bits. The result is recorded with the version.

    Example: s2s reproduce models:/dates@champion
    """
    with boundary(debug, verbose, cleans_up=True):
        from flows.reproduction.reproduce import reproduce_version
        from seq2seq_core.config.settings import load_settings

        paths = resolve_workspace(workspace)
        if into is not None and into.exists() and (not into.is_dir() or any(into.iterdir())):
            raise UserError(f"--into: {into}: expected a folder that is new or empty")
        result = reproduce_version(reference, load_settings(paths.params), paths, into, tolerance)
        typer.echo(result.sentence())
        if not result.is_reproduced:
            raise typer.Exit(EXIT_USER_FAULT)
