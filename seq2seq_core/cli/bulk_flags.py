"""``s2s predict --into``: the options of a bulk job, beside those of decoding, and the call."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq_core.cli.decoding_flags import DecodingCommand, flag_errors
from seq2seq_core.console import Progress, progress
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.config.decoding_options import DecodingOptions
    from seq2seq_core.serving.loading import FoundModel

BULK = "In bulk"
_META = "seq2seq_core.bulk"
NEEDS_INTO = frozenset({".parquet", ".gz"})
"""Endings of files that are no plain lines."""


def _bulk_options(
    into: Annotated[
        Path | None,
        typer.Option(help="Write shards to this folder; the same command goes on after a kill.", rich_help_panel=BULK),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        str,
        typer.Option(
            help="Format of the shards: parquet, jsonl, tsv, csv, jsonl.gz, tsv.gz or csv.gz; by default that of each input.",
            rich_help_panel=BULK,
            show_default=False,
        ),
    ] = "",
    column: Annotated[str, typer.Option(help="Column of the sources; a.b is b inside of a.", rich_help_panel=BULK)] = "source",
    output_column: Annotated[
        str, typer.Option(help="Column of the predictions; its name begins the other new columns.", rich_help_panel=BULK)
    ] = "prediction",
    shard_rows: Annotated[int, typer.Option(help="Rows of a shard.", min=1, rich_help_panel=BULK)] = 10_000,
    workers: Annotated[
        int, typer.Option(help="Processes that decode; 0: one a core, at most 8, or one on a GPU.", min=0, rich_help_panel=BULK)
    ] = 0,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Delete the output of the job in the folder, and begin anew.", rich_help_panel=BULK),
    ] = False,
) -> None:
    """The options; their values go into the context."""


@cache
def _bulk_params() -> tuple[Any, ...]:
    app = typer.Typer(add_completion=False)
    app.command()(_bulk_options)
    return tuple(typer.main.get_command(app).params)


class PredictCommand(DecodingCommand):
    """A command with the options of decoding and of bulk jobs."""

    def get_params(self, ctx: typer.Context) -> list[Any]:  # type: ignore[override]
        """See :class:`DecodingCommand`; the options of bulk jobs follow."""
        return [*super().get_params(ctx), *_bulk_params()]

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Moves the options of bulk jobs into the context's ``meta``."""
        ctx.meta[_META] = {param.name: ctx.params.pop(param.name) for param in _bulk_params()}
        return super().invoke(ctx)


def is_bulk(context: typer.Context) -> bool:
    """Whether ``--into`` was given."""
    return context.meta[_META]["into"] is not None


def check_plain(context: typer.Context, sources: list[Path] | None) -> Path | None:
    """The one source file of a command without ``--into``; None for standard input.

    Args:
        context: of the command.
        sources: the arguments.

    Raises:
        UserError: there are several, it is no file of lines, or there are options of a bulk job.
    """
    defaults = {param.name: param.default for param in _bulk_params()}
    if given := [name for name, value in context.meta[_META].items() if value != defaults[name]]:
        raise UserError(f"--{given[0].replace('_', '-')}: needs --into FOLDER")
    if sources and len(sources) > 1:
        raise UserError(f"{sources[1]}: several inputs need --into FOLDER, which writes shards for each")
    if sources and (sources[0].suffix in NEEDS_INTO or sources[0].is_dir()):
        kind = "a folder" if sources[0].is_dir() else f"a file {sources[0].suffix}"
        raise UserError(f"{sources[0]}: {kind} needs --into FOLDER, which writes shards of rows; without it expected a text file")
    return sources[0] if sources else None


def predict_in_bulk(
    context: typer.Context,
    sources: list[Path] | None,
    model: FoundModel,
    options: DecodingOptions,
    common: Mapping[str, Any],
    refused: Mapping[str, object],
) -> None:
    """Runs a bulk job and prints its outcome.

    Args:
        context: of the command, with its options.
        sources: the inputs.
        model: decodes.
        options: the decoding options.
        common: further fields of the request.
        refused: options that only a stream of lines has, with their values.

    Raises:
        UserError: there is no input, or a refused option was given.
    """
    from seq2seq_core.bulk.bulk_request import BulkRequest
    from seq2seq_core.bulk.bulk_run import run_bulk

    given = context.meta[_META]
    if not sources:
        raise UserError("--into: needs files or folders as arguments, not standard input: a job that goes on reads them again")
    if others := [name for name, value in refused.items() if value]:
        raise UserError(f"{others[0]}: must be left out with --into, whose shards have columns")
    request = BulkRequest(
        inputs=tuple(sources), output=given["into"], source_column=given["column"], output_column=given["output_column"],
        output_format=given["format"], shard_rows=given["shard_rows"], workers=given["workers"], restarts=given["restart"],
        **common,
    )  # fmt: skip
    with flag_errors():
        outcome = run_bulk(request, model, options, _show)
    typer.echo(outcome.headline(), err=True)


def _show(total: int, finished: int) -> AbstractContextManager[Progress]:
    return progress("predict", total, "rows", start=finished)
