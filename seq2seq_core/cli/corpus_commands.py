"""Commands about corpora and settings: the sample corpus, ready settings, the check and the reference of settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Workspace, resolve_workspace

PANEL = "Corpora and settings"


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
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Generate the sample corpus: written-out dates in seven languages to ISO 8601.

    Works offline and writes the same bytes on every machine, so data/raw/dates.dvc stays up to date.
    """
    with boundary(debug):
        from seq2seq_core.corpus.sample_dates import write_sample_corpus

        folder = output if output is not None else resolve_workspace(workspace).root / "data" / "raw" / "dates"
        typer.echo(write_sample_corpus(folder))


def configure(
    settings_file: Annotated[Path, typer.Argument(help="A ready settings file, such as configs/g2p.yaml.")],
    corpus: Annotated[Path | None, typer.Option("--corpus", help="The corpus folder; replaces corpus.path of the file.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the registered model; replaces register.model_name.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a params.yaml that has uncommitted changes.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Install a ready settings file as the workspace's params.yaml, for your corpus.

    Checks the settings, and that the corpus folder has the files they name. Refuses to overwrite uncommitted changes.

    Example: s2s configure configs/g2p.yaml --corpus /data/hungarian && s2s retrain
    """
    with boundary(debug):
        from seq2seq_core.config.ready_settings import install_settings

        paths = resolve_workspace(workspace)
        install_settings(settings_file, paths, corpus_folder=corpus, model_name=name, force=force)
        typer.echo(f"params.yaml is now {settings_file}; run `s2s retrain` or `dvc repro`")


def check_settings(
    settings_file: Annotated[
        Path | None, typer.Argument(help="The file to check; by default the workspace's params.yaml.", show_default=False)
    ] = None,
    workspace: Workspace = None,
    debug: Debug = False,
) -> None:
    """Check a settings file and list every fault at once."""
    with boundary(debug):
        from seq2seq_core.config.ready_settings import load_workspace_settings
        from seq2seq_core.config.settings import load_settings

        if settings_file is None:
            paths = resolve_workspace(workspace)
            checked = load_workspace_settings(paths)
        else:
            checked = load_settings(settings_file)
        for caution in checked.cautions():
            typer.echo(f"warning: {caution}", err=True)
        typer.echo(f"{settings_file or paths.params}: all settings are valid")


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
