"""Commands about corpora and settings: the sample corpus, ready settings, the check and the reference of settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_core.artifacts import Paths, find_workspace
from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Workspace, resolve_workspace
from seq2seq_core.errors import UserError

PANEL = "Corpora and settings"

ReadyFile = Annotated[
    Path | None,
    typer.Argument(help="A ready settings file, such as configs/g2p.yaml; none: settings are proposed.", show_default=False),
]
CorpusFolder = Annotated[
    Path | None,
    typer.Option("--corpus", help="The corpus folder, or one file; replaces corpus.path of a ready file.", show_default=False),
]
ModelName = Annotated[
    str | None,
    typer.Option("--name", help="Name of the registered model; by default the ready file's, or the folder's.", show_default=False),
]
TaskName = Annotated[
    str,
    typer.Option(
        "--task",
        help="Without a ready file, the task: translation, transliteration, pronunciation, normalisation, spelling, inflection, "
        "summarisation, dialogue, parsing, speech, synthesis, lines or captions; by default the likeliest.",
        show_default=False,
    ),
]
SourceSide = Annotated[
    str,
    typer.Option("--source", help="The source's column (name or number), or its file's ending such as en.", show_default=False),
]
TargetSide = Annotated[str, typer.Option("--target", help="The same of the target.", show_default=False)]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header", help="Whether a table's first row names its columns; by default as it looks.", show_default=False
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("sample-corpus", rich_help_panel=PANEL)(sample_corpus)
    app.command("configure", rich_help_panel=PANEL)(configure)
    app.command("check-settings", rich_help_panel=PANEL)(check_settings)
    app.command("settings", rich_help_panel=PANEL)(settings)


def sample_corpus(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Output folder; by default data/raw/dates of the workspace.", show_default=False),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Pictures of printed dates with their text, by default in data/raw/lines.")
    ] = False,
    inflection: Annotated[
        bool, typer.Option("--inflection", help="Verbs of a made-up language and their forms, by default in data/raw/inflection.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace tables of the same names with other content.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Generate a sample corpus: written-out dates in seven languages to ISO 8601, pictures of printed dates, or inflected verbs.

    Works offline and writes the same bytes on every machine, so data/raw/dates.dvc stays up to date.
    Tables that are already there with other content are never replaced without --force.
    """
    with boundary(debug):
        if pictures and inflection:
            raise UserError("--inflection: must be left out with --pictures, which is another sample")
        name = "lines" if pictures else "inflection" if inflection else "dates"
        folder = output if output is not None else resolve_workspace(workspace).root / "data" / "raw" / name
        if pictures:
            from seq2seq_core.corpus.samples.sample_pictures import write_sample_pictures

            typer.echo(write_sample_pictures(folder, is_forced=force))
        elif inflection:
            from seq2seq_core.corpus.samples.sample_inflection import write_sample_inflection

            typer.echo(write_sample_inflection(folder, force))
        else:
            from seq2seq_core.corpus.samples.sample_dates import write_sample_corpus

            typer.echo(write_sample_corpus(folder, force))


def configure(
    settings_file: ReadyFile = None,
    corpus: CorpusFolder = None,
    name: ModelName = None,
    task: TaskName = "",
    source: SourceSide = "",
    target: TargetSide = "",
    header: Header = None,
    fit_sizes: Annotated[
        bool, typer.Option("--fit-sizes", help="Of a ready file: derive the sizes of model and training from the rows of train.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a params.yaml that has uncommitted changes.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Write params.yaml for your corpus: proposed from a look at its files, or from a ready settings file.

    With --corpus FOLDER (or one file) alone, it samples the files, chooses task, files, columns, vocabulary, model and length
    of training, and says why, a line each. The same lines head params.yaml. The first row is shown as it is read.

    With a ready file, the settings are that file's. Where the folder has other file names, they replace the file's. Its sizes stay,
    unless --fit-sizes derives them from the number of rows.

    It writes only settings by which the rows can be read, and refuses to overwrite uncommitted changes.

    Example: s2s configure --corpus data/raw/mine && s2s retrain

    Example: s2s configure configs/g2p.yaml --corpus /data/hungarian && s2s retrain
    """
    with boundary(debug):
        from seq2seq_core.config.ready_settings import install_settings
        from seq2seq_core.corpus_survey.proposed_settings import install_fitted, install_proposal
        from seq2seq_core.corpus_survey.table_columns import LayoutChoice
        from seq2seq_core.imports.shipped_files import find_ready_file

        paths = resolve_workspace(workspace)
        settings_file = settings_file and find_ready_file(settings_file)
        if settings_file is not None and task:
            raise UserError(f"--task: must be left out with a ready settings file, which is for one task; got {task!r}")
        if fit_sizes and (settings_file is None or corpus is None):
            raise UserError("--fit-sizes: needs a ready settings file and --corpus FOLDER; a proposal fits anyway")
        if corpus is None:
            if settings_file is None:
                raise UserError("expected a ready settings file (configs/), or --corpus FOLDER to propose settings; got neither")
            options = {"--source": source, "--target": target, "--header": "" if header is None else "yes" if header else "no"}
            for option, got in ((option, got) for option, got in options.items() if got):
                raise UserError(f"{option}: must be left out without --corpus FOLDER, whose columns it chooses from; got {got!r}")
            findings: list[str] = []
            install_settings(settings_file, paths, corpus_folder=None, model_name=name, force=force)
        elif settings_file is None:
            findings = install_proposal(paths, corpus, name, task, force, LayoutChoice(source, target, header))
        else:
            findings = install_fitted(settings_file, paths, corpus, name, force, LayoutChoice(source, target, header), fit_sizes)
        for finding in findings:
            typer.echo(finding)
        typer.echo(f"params.yaml is now {settings_file or 'as proposed'}; run `s2s retrain` or `dvc repro`")


def check_settings(
    settings_file: Annotated[
        Path | None, typer.Argument(help="The file to check; by default the workspace's params.yaml.", show_default=False)
    ] = None,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Check a settings file and list every fault at once; where the corpus is there, also its files, columns and first rows.

    An engine that cannot hold the model is refused, and a vocoder that is not there or reads other frames. Models that the settings
    name (a teacher, a judge) are looked for; a warning says which is not there.

    Contracts of your own (validate.contracts) are tried on the first rows. Without the corpus, their SQL and names are checked.
    """
    with boundary(debug):
        from seq2seq_core.config.ready_settings import load_workspace_settings
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.corpus_survey.contract_check import check_contracts
        from seq2seq_core.corpus_survey.corpus_check import check_corpus, has_corpus
        from seq2seq_core.stages.looking_ahead import check_engine, check_vocoder, missing_models

        if settings_file is None or workspace is not None:
            paths = resolve_workspace(workspace)
        else:  # a file can be checked anywhere
            paths = find_workspace(Path.cwd()) or Paths(Path.cwd())
        checked = load_workspace_settings(paths) if settings_file is None else load_settings(settings_file)
        for caution in checked.cautions():
            typer.echo(f"warning: {caution}", err=True)
        check_engine(checked)
        check_vocoder(checked, paths)
        typer.echo(f"{settings_file or paths.params}: all settings are valid")
        for reason in missing_models(checked, paths):
            typer.echo(f"warning: {reason}", err=True)
        if not has_corpus(checked, paths.root):
            check_contracts(checked, paths.root, has_corpus=False)
            typer.echo(f"the corpus folder {checked.corpus.path} is not there: its files and columns are not checked")
            return
        counts = check_corpus(checked, paths.root)
        typer.echo(f"corpus {checked.corpus.path}: the files of {', '.join(counts)} are there, and their first rows can be read")
        if number := check_contracts(checked, paths.root, has_corpus=True):
            typer.echo(f"contracts of your own: {number}, which fit the columns and first rows")


def settings(
    name: Annotated[
        str, typer.Argument(help="A section or a setting, such as train or train.batch_tokens; by default all.", show_default=False)
    ] = "",
    debug: Debug = False,
) -> None:
    """Explain the settings of params.yaml: type, bounds, default and meaning of each.

    The output is Markdown, laid out for reading on a terminal. docs/settings.md is the whole of it.
    """
    with boundary(debug):
        from seq2seq_core.config.settings_page import describe_settings

        text = describe_settings(name)
        if not sys.stdout.isatty():
            typer.echo(text, nl=False)
            return
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
