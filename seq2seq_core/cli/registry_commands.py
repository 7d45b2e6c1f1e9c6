"""Commands about registered versions: promote, rollback, history and sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import FORMS, Debug, Reference, Verbose, Workspace, resolve_workspace
from seq2seq_core.errors import EXIT_USER_FAULT, UserError

if TYPE_CHECKING:
    from seq2seq_core.artifacts import Paths
    from seq2seq_core.config.settings import Settings
    from seq2seq_core.registry.ledger import Entry

PANEL = "Registered models"

Reason = Annotated[str, typer.Option("--reason", help="Why, for the ledger.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Move the alias whatever the comparison says; needs --reason.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("promote", rich_help_panel=PANEL)(promote)
    app.command("rollback", rich_help_panel=PANEL)(rollback)
    app.command("history", rich_help_panel=PANEL)(history)
    app.command("sign", rich_help_panel=PANEL)(sign)


def promote(
    reference: Reference,
    force: Force = False,
    first: Annotated[
        bool, typer.Option("--first", help="The alias was removed, and this version may be the first to hold it again.")
    ] = False,
    reason: Reason = "",
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Make a registered version the champion, if it is proved better.

    The version and the champion decode the workspace's test set, and the gate of params.yaml (register.gate) decides. The version's
    files and answers are checked before the alias moves, also with --force. The same two bundles with the same answers to the same
    test set are one comparison, however often it is made.

    Exit code 0: the version is the champion now, also where it was already. 2: it is not, and the alias stays where it was.

    Examples:
      s2s promote 7

      s2s promote @challenger --force --reason "the test set lacks the new format"
    """
    with boundary(debug, verbose):
        if force and not reason.strip():
            raise UserError("--force needs --reason: expected one sentence for the ledger, such as --reason 'the old one is wrong'")
        if reason.strip() and not force:
            raise UserError("--reason is for --force: without it the gate decides, and its reason goes into the ledger")
        from seq2seq_core.registry.moves import force_version, promote_version

        paths, settings, number = _find(reference, workspace)
        if force:
            _show_move(force_version(number, reason.strip(), settings, paths), settings)
            return
        ruling = promote_version(number, settings, paths, first)
        receipt = ruling.receipt
        typer.echo(f"version {receipt.version} of {receipt.model_name}: {receipt.decision}: {receipt.reason}")
        if not ruling.counted:
            typer.echo("no new comparison: nothing more of the test set's error rate is spent")
        if receipt.decision != "champion":
            raise typer.Exit(EXIT_USER_FAULT)


def rollback(
    reference: Annotated[
        str | None,
        typer.Argument(
            help=f"The version to go back to: {FORMS}; by default the champion before.", show_default=False, metavar="[REF]"
        ),
    ] = None,
    reason: Reason = "",
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Give the alias champion back to an earlier version.

    The version's files are checked against its digest, and it must answer a few test rows as it did when it was evaluated.
    Otherwise the alias stays where it is.

    Exit code 0: the version is the champion now, also where it was already. 2: it is not, and the alias stays where it was.

    Examples:
      s2s rollback --reason "customers report wrong years"

      s2s rollback 3
    """
    with boundary(debug, verbose):
        paths, settings, number = _find(reference, workspace)
        from seq2seq_core.registry.moves import roll_back

        _show_move(roll_back(number, reason.strip(), settings, paths), settings)


def history(
    reference: Annotated[
        str | None,
        typer.Argument(
            help=f"Only the entries about a version: {FORMS}; by default about all.", show_default=False, metavar="[REF]"
        ),
    ] = None,
    all_entries: Annotated[bool, typer.Option("--all", help="Also the decisions that left the alias where it was.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object an entry, with its evidence.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", help="Only the last entries; 0: all.", min=0)] = 20,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Show who moved the alias champion, when and why.

    Examples:
      s2s history

      s2s history @challenger --all

      s2s history --all --json > decisions.jsonl
    """
    with boundary(debug):
        from seq2seq_core.lineage.decisions import is_about
        from seq2seq_core.registry.history import to_json, to_table
        from seq2seq_core.registry.moves import read_history

        # The ledger also knows versions that were deleted since.
        is_number = reference is not None and reference.isdecimal()
        paths, settings, number = _find(None if is_number else reference, workspace)
        number = reference if is_number and reference else number
        name = settings.register_.model_name
        entries = [entry for entry in read_history(name, paths) if not number or is_about(entry, number)]
        if is_number and not entries:
            _find(reference, workspace)  # refuses a version that never existed
        shown = [entry for entry in entries if all_entries or entry.is_move]
        shown = shown[-limit:] if limit else shown
        if as_json:
            for entry in shown:
                typer.echo(to_json(entry))
        elif not shown:
            what = f"to or from version {number} of {name!r}" if number else f"of {name!r}"
            typer.echo(f"The alias champion was never moved {what}{'' if not entries else '; --all shows the decisions'}.")
        else:
            typer.echo(to_table(shown))


def sign(
    reference: Reference,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Sign a registered version with the private key, after a check of its files.

    `s2s register` signs what it registers; this is for versions from before there was a key. The section runtime.signing of
    params.yaml names the key.

    Examples:
      s2s sign models:/dates@champion
    """
    with boundary(debug, verbose):
        paths, settings, number = _find(reference, workspace)
        from seq2seq_core.bundle.signature import PRIVATE_VARIABLE, SIGNING, find_private_key
        from seq2seq_core.registry.stored_model import sign_version
        from seq2seq_core.registry.versions import find_version
        from seq2seq_core.tracking.mlflow.store import connect

        key, name = find_private_key(paths), settings.register_.model_name
        if key is None:
            raise UserError(f"no key to sign with: expected {SIGNING}.private_key_file or the variable {PRIVATE_VARIABLE}")
        sign_version(find_version(f"models:/{name}/{number}", paths), paths, connect(paths), key)
        typer.echo(f"version {number} of {name} is signed")


def _find(reference: str | None, workspace: Workspace) -> tuple[Paths, Settings, str]:
    """The workspace, its settings, and the number of a version; empty where no version is named."""
    from seq2seq_core.config.settings import load_settings
    from seq2seq_core.lineage.lookup import find_reference

    paths = resolve_workspace(workspace)
    settings = load_settings(paths.params)
    name = settings.register_.model_name
    if reference is None:
        return paths, settings, ""
    version = find_reference(reference, settings, paths)
    if version.name != name:
        raise UserError(f"{reference}: is a version of {version.name!r}, but register.model_name of {paths.params} is {name!r}")
    return paths, settings, str(version.version)


def _show_move(entry: Entry, settings: Settings) -> None:
    """Says what became of the alias."""
    holder = f"version {entry.champion} of {settings.register_.model_name} is the champion"
    before = f" in place of version {entry.before}" if entry.before else ""
    typer.echo(
        f"{holder}{before}: {entry.reason}" if entry.is_move else f"{holder} already; nothing moved, and nothing is recorded"
    )
