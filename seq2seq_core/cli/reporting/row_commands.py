"""Commands that show rows of a corpus: those that break contracts, and those that ``prepare`` drops or changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_core import atomic
from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Workspace, resolve_workspace
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.corpus.preparation.dropped_rows_page import DroppedRows

PANEL = "Corpora and settings"

RuleName = Annotated[
    str,
    typer.Option("--rule", "-r", help="One rule, such as leakage, mojibake or whitespace; by default all.", show_default=False),
]
SplitName = Annotated[
    str, typer.Option("--split", help="train, dev, test, monolingual.LANGUAGE or teacher; by default all.", show_default=False)
]
MostRows = Annotated[
    int | None,
    typer.Option("--limit", "-n", help="Most rows shown of each rule; by default all kept.", min=0, show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object with everything.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("rejected", rich_help_panel=PANEL)(rejected)
    app.command("dropped", rich_help_panel=PANEL)(dropped)
    app.command("changed", rich_help_panel=PANEL)(changed)


def rejected(
    contract: Annotated[
        str, typer.Option("--contract", help="Only the rows that break this contract, such as empty.", show_default=False)
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", help="The most rows of each contract in each split; 0: all.", min=0)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a row.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the rows into this file, as CSV (.csv) or JSON lines (.jsonl).", show_default=False
        ),
    ] = None,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Show the rows of the corpus that break data contracts, and the lines that cannot be read, with file and line.

    The corpus is read and checked again; nothing is stored.

    Example: s2s rejected --contract numbers_differ --limit 0 --output numbers.csv
    """
    with boundary(debug):
        from seq2seq_core.config.ready_settings import load_workspace_settings
        from seq2seq_core.stages.rejected import iterate_rejected
        from seq2seq_core.stages.rejected_table import as_csv, as_json_lines, as_text

        form = as_json_lines if as_json else as_text
        if output is not None:
            if as_json or output.suffix not in (".csv", ".jsonl"):
                raise UserError(f"--output: must end in .csv or .jsonl, without --json; got {output}")
            form = as_csv if output.suffix == ".csv" else as_json_lines
        paths = resolve_workspace(workspace)
        lines = form(iterate_rejected(load_workspace_settings(paths), paths, contract, limit))
        if output is None:
            for line in lines:
                typer.echo(line, nl=False)
            return
        with atomic.new_file(output) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
        typer.echo(output)


def dropped(
    rule: RuleName = "",
    split: SplitName = "",
    limit: MostRows = None,
    as_json: AsJson = False,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Show rows that s2s prepare dropped or changed, by rule, with file and line.

    Each rule has its count, and an even sample of its rows (prepare.examples, 20 by default) as they stand in the corpus. A row is
    dropped by the first rule that it breaks. Rows that were changed (mend, whitespace, unicode_normalization) are kept; they are
    shown with what became of them, by s2s changed alone. After a prepare that stopped because it lost too many rows, the rows are
    those of that run.

    It reads reports/prepare.json and reports/dropped.jsonl, outputs of prepare that DVC and MLflow keep.

    Exit code 2: there is no such rule or split, the message names those that there are; or no corpus is prepared.

    Examples:
      s2s dropped

      s2s dropped --rule leakage --limit 5

      s2s dropped --rule whitespace --split train --json
    """
    with boundary(debug):
        from seq2seq_core.corpus.preparation.dropped_rows_page import read_dropped_rows

        _show(read_dropped_rows(resolve_workspace(workspace)).select(rule, split, limit), as_json)


def changed(
    rule: RuleName = "",
    split: SplitName = "",
    limit: MostRows = None,
    as_json: AsJson = False,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Show rows whose texts s2s prepare changed, by rule, before and after, with file and line.

    Each rule has its count, and an even sample of its rows (prepare.examples, 20 by default): the mending rules of prepare.mend,
    unicode_normalization and whitespace. A row that several rules changed counts for each; it is shown as it is written. Copies
    with noise (prepare.augment) are shown beside the sources that they come of.

    Exit code 2: there is no such rule or split, the message names those that there are; or no corpus is prepared.

    Examples:
      s2s changed

      s2s changed --rule mojibake --limit 5
    """
    with boundary(debug):
        from seq2seq_core.corpus.preparation.dropped_rows_page import read_dropped_rows

        _show(read_dropped_rows(resolve_workspace(workspace)).changes().select(rule, split, limit), as_json)


def _show(rows: DroppedRows, as_json: bool) -> None:
    typer.echo(rows.as_json() if as_json else rows.as_text())
