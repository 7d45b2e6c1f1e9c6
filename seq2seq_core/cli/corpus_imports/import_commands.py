"""``s2s import``: corpora of OPUS, Hugging Face datasets, and files of a list of addresses, each as a folder of data/raw."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.corpus_imports.import_options import (
    DryRun,
    FolderName,
    Force,
    Languages,
    Licence,
    MaxGigabytes,
    NeededLanguages,
    NeededName,
    Track,
)
from seq2seq_core.cli.option_types import Debug, Workspace, resolve_workspace
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.corpus_import.import_plan import CorpusPlace
    from seq2seq_core.corpus_import.import_run import ImportChoices

PANEL = "Corpora and settings"
DEFAULT_GIGABYTES = 50.0
HELP = """Import a corpus into data/raw: from OPUS, from Hugging Face, or from a list of addresses.

Each import makes one folder, whole or not at all, with SOURCE.yaml in it: source, version, licence, addresses, checksums, and the
command that makes the same files again. DVC tracks the folder, and its .dvc file, which git keeps, has source and licence too.

A run that was stopped or killed goes on when it is started again. Proxies are those of the environment (https_proxy, NO_PROXY).

Needs the extra `import`:  pip install 'seq2seq-flows\\[import]'

Next:  s2s configure --corpus data/raw/NAME
"""

app = typer.Typer(help=HELP, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})


def add_to(parent: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    parent.add_typer(app, name="import", rich_help_panel=PANEL)


@app.command("opus")
def import_opus(
    corpus: Annotated[str, typer.Argument(help="A corpus of https://opus.nlpl.eu, such as Books.")],
    languages: NeededLanguages,
    version: Annotated[str, typer.Option("--version", help="A release, such as v1.")] = "latest",
    form: Annotated[
        Literal["moses", "tmx"], typer.Option("--format", help="Two aligned text files, or a translation memory.")
    ] = "moses",
    api: Annotated[
        str, typer.Option("--api", help="Address of the API, for a mirror; by default OPUS's own.", show_default=False)
    ] = "",
    name: FolderName = "",
    licence: Licence = "",
    max_gigabytes: MaxGigabytes = DEFAULT_GIGABYTES,
    dry_run: DryRun = False,
    force: Force = False,
    track: Track = True,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Import a corpus of OPUS in two languages, as two aligned text files.

    The release that was found is recorded, so that the same command with its --version makes the same files later.

    Example: s2s import opus Books --languages de,en --dry-run

    Example: s2s import opus Books --languages de,en --version v1 && s2s configure --corpus data/raw/books_de_en
    """

    def find() -> CorpusPlace:
        from seq2seq_core.corpus_import.http_answers import Web
        from seq2seq_core.corpus_import.opus_corpus import OpusCorpus

        one, other = _two_languages(languages)
        return OpusCorpus(corpus, (one, other), version, form, api, Web())

    by_default = "_".join([corpus.lower(), *sorted(languages.replace(" ", "").split(","))])
    with boundary(debug, cleans_up=True):
        _run(find, _choices(name or by_default, licence, max_gigabytes, force), workspace, dry_run, track)


@app.command("huggingface")
def import_huggingface(
    dataset: Annotated[str, typer.Argument(help="OWNER/NAME as on https://huggingface.co/datasets, or a folder of that layout.")],
    configuration: Annotated[
        str, typer.Option("--configuration", help="One of the dataset's configurations, such as de-en.", show_default=False)
    ] = "",
    revision: Annotated[
        str, typer.Option("--revision", help="A branch, tag or commit; by default the main branch.", show_default=False)
    ] = "",
    name: FolderName = "",
    licence: Licence = "",
    max_gigabytes: MaxGigabytes = DEFAULT_GIGABYTES,
    dry_run: DryRun = False,
    force: Force = False,
    track: Track = True,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Import a dataset of Hugging Face, or a folder of its files, as JSON lines: one file a split.

    CSV, JSON, Parquet, Arrow and text files are read; code that comes with a dataset is never run. Members of a nested column
    (translation: {de, en}) become columns of their own. The commit that was found is recorded, so that the same command with its
    --revision makes the same files later. Private and gated datasets need HF_TOKEN; HF_ENDPOINT names a mirror.

    Example: s2s import huggingface Helsinki-NLP/opus_books --configuration de-en --dry-run

    Example: s2s import huggingface ~/downloads/my_dataset --name mine --licence CC-BY-4.0
    """

    def find() -> CorpusPlace:
        from seq2seq_core.corpus_import.http_answers import Web
        from seq2seq_core.corpus_import.hub_dataset import DatasetFolder, HubDataset

        folder = Path(dataset).expanduser()
        if not folder.is_dir():
            return HubDataset(dataset, configuration or None, revision or None, None, Web())
        if revision:
            raise UserError(f"--revision: must be left out for a folder, which has none; got {revision!r}")
        return DatasetFolder(folder, configuration or None)

    by_default = re.sub(r"[^\w.-]", "_", "_".join(part for part in (Path(dataset).name.lower(), configuration.lower()) if part))
    with boundary(debug, cleans_up=True):
        _run(find, _choices(name or by_default, licence, max_gigabytes, force), workspace, dry_run, track)


@app.command("urls")
def import_urls(
    places: Annotated[
        list[str], typer.Argument(help="A file with an address a line, or addresses (https://...).", metavar="LIST_OR_URL...")
    ],
    name: NeededName,
    languages: Languages = "",
    licence: Licence = "",
    max_gigabytes: MaxGigabytes = DEFAULT_GIGABYTES,
    dry_run: DryRun = False,
    force: Force = False,
    track: Track = True,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Import files by their addresses. ZIP and TAR archives are unpacked, and TMX files become two aligned text files.

    A line of the list is an address, then, in any order, a checksum and another name for the file:

        https://example.org/train.tsv.gz  sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

        https://example.org/get?id=7  name=test.tsv

    Lines that begin with # are comments. A file with another checksum is refused. Checksums may be sha256, sha512, sha1 and md5.

    Example: s2s import urls corpora/mine.txt --name mine --licence CC0-1.0
    """

    def find() -> CorpusPlace:
        from seq2seq_core.corpus_import.address_list import AddressList
        from seq2seq_core.corpus_import.http_answers import Web

        return AddressList(places, _two_languages(languages) if languages else (), Web())

    with boundary(debug, cleans_up=True):
        _run(find, _choices(name, licence, max_gigabytes, force), workspace, dry_run, track)


@app.command("again")
def import_again(
    name: Annotated[str, typer.Argument(help="The folder in data/raw; it may be missing, as in a fresh clone.")],
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Import a corpus again, as its .dvc file (or its SOURCE.yaml) has it on record: the same version, the same bytes.

    Bytes that differ from those on record are refused. Files of lists are looked for from this folder.

    Example: s2s import again books_de_en
    """
    with boundary(debug):
        from seq2seq_core.corpus_import.import_run import corpus_place
        from seq2seq_core.corpus_import.source_record import dvc_file, read_pin, read_record

        paths = resolve_workspace(workspace)
        target = corpus_place(name, paths)
        record = read_record(target)
        command = read_pin(target).get("command") or (record.command if record is not None else "")
        words = shlex.split(command)
        if words[:2] != ["s2s", "import"] or words[2:3] in ([], ["again"]):
            raise UserError(f"{dvc_file(target).relative_to(paths.root)}: has no import on record; expected the name of one")
        typer.echo(command)
    code = typer.main.get_command(app).main([*words[2:], "--workspace", str(paths.root)], prog_name="s2s", standalone_mode=False)
    if code:
        raise typer.Exit(code)


def _choices(name: str, licence: str, max_gigabytes: float, force: bool) -> ImportChoices:
    from seq2seq_core.corpus_import.import_run import ImportChoices
    from seq2seq_core.corpus_import.size_limit import BYTES_A_GIGABYTE

    most = min(max_gigabytes * BYTES_A_GIGABYTE, sys.maxsize)
    return ImportChoices(name, " ".join(licence.split()), int(most), force)


def _run(find: Callable[[], CorpusPlace], choices: ImportChoices, workspace: Path | None, dry_run: bool, track: bool) -> None:
    """Runs or describes an import, and says what comes next."""
    from seq2seq_core.corpus_import.import_run import corpus_place, describe_plan, run_import
    from seq2seq_core.corpus_import.source_record import NOT_STATED, SOURCE_FILE

    paths = resolve_workspace(workspace)
    target = corpus_place(choices.name, paths)
    if dry_run:
        for line in describe_plan(find().plan(), choices, paths):
            typer.echo(line)
        return
    result = run_import(find(), choices, paths)
    for note in result.notes:
        typer.echo(f"warning: {note}", err=True)
    record, shown = result.record, target.relative_to(paths.root)
    if track:
        from flows.dvc.corpus_tracking import track_corpus

        track_corpus(paths.root, target, record)
    typer.echo(f"{shown}: {record.in_words()}{'' if result.is_new else ' (was there already)'}")
    if record.licence == NOT_STATED:
        typer.echo(f"warning: {shown}/{SOURCE_FILE}: no licence is stated; --licence records one", err=True)
    typer.echo(f"to make the same again: s2s import again {choices.name}")
    typer.echo(f"next: s2s configure --corpus {shlex.quote(str(shown))}")


def _two_languages(text: str) -> tuple[str, str]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(parts) or parts[0] == parts[1]:
        raise UserError(f"--languages: must be two codes such as de,en; got {text!r}")
    return parts[0], parts[1]
