"""Commands about where a version comes from: lineage, drift and reproduce."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_core.atomic import write_text
from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import FORMS, Debug, Reference, Verbose, Workspace, resolve_workspace
from seq2seq_core.cli.registry_commands import PANEL
from seq2seq_core.errors import EXIT_USER_FAULT, UserError

if TYPE_CHECKING:
    from seq2seq_core.drift.drift_report import DriftReport


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("lineage", rich_help_panel=PANEL)(lineage)
    app.command("drift", rich_help_panel=PANEL)(drift)
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


def drift(
    reference: Annotated[
        str | None,
        typer.Argument(
            help=f"A version whose corpus is compared: {FORMS}. Without it: the workspace's corpus.",
            show_default=False,
            metavar="REF",
        ),
    ] = None,
    against: Annotated[str, typer.Option("--against", help="The version to compare with, in the same forms.")] = "@champion",
    requests: Annotated[
        list[Path] | None,
        typer.Option(
            "--requests",
            help="A file of request texts to compare instead: one a line, or TSV, CSV, JSON lines or Parquet with a column; "
            "repeat it for several.",
            show_default=False,
        ),
    ] = None,
    column: Annotated[str, typer.Option("--column", help="The column of --requests with the source.")] = "source",
    into: Annotated[
        Path | None,
        typer.Option("--into", help="A folder for the report: drift.html with pictures, drift.md, drift.json.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object with everything.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Show how a corpus, or the requests of users, differ from what a version learned from.

    Lengths, length ratio, scripts, characters, pieces of the vocabulary, unknown symbols, repeated and untranslated rows are
    compared by the size of the effect: 0 is the same, 1 is nothing in common. An effect is drift above its limit: what chance
    exceeds in no measure (register.drift.alpha), and at least register.drift.minimal_effect. So more rows alone are never drift.

    Each version keeps the profile of its corpus; the old corpus is not needed. The server keeps no request texts: log them where
    they are sent.

    Exit code 0: both were compared, whatever came out (drift: "is_drift" in --json). 2: they cannot be, such as where an earlier
    release registered a version, which then has no profile.

    Examples:
      s2s drift

      s2s drift 7 --against 3

      s2s drift --requests yesterday.jsonl --column text
    """
    with boundary(debug, verbose):
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.lineage.lookup import find_reference
        from seq2seq_core.registry.profiles.drift_request import compare_requests, compare_versions, compare_workspace

        if reference is not None and requests:
            raise UserError(
                f"--requests: are compared with the version in --against; expected --against {reference}, and no version before it"
            )
        paths = resolve_workspace(workspace)
        settings = load_settings(paths.params)
        rival = find_reference(against, settings, paths)
        if requests:
            from seq2seq_core.bulk.request_texts import read_texts

            names = ", ".join(file.name for file in requests)
            report = compare_requests(read_texts(requests, column), names, rival, settings, paths)
        elif reference is not None:
            report = compare_versions(find_reference(reference, settings, paths), rival, settings, paths)
        else:
            report = compare_workspace(rival, settings, paths)
        _show_drift(report, into, as_json)


def _show_drift(report: DriftReport, into: Path | None, as_json: bool) -> None:
    from seq2seq_core.drift.drift_report import to_lines
    from seq2seq_core.model_card.drift_section import render_drift

    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        for name, text in render_drift(report).items():
            write_text(into / name, text)
    shown = {"is_drift": bool(report.alarms), **report.model_dump(mode="json")}
    typer.echo(json.dumps(shown, ensure_ascii=False) if as_json else "\n".join(to_lines(report)))


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
