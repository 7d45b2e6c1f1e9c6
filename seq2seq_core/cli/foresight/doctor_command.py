"""The command that looks for what is wrong with installation, machine, workspace and servers."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Verbose, Workspace, resolve_workspace

EXIT_PROBLEMS = 1


def add_to(app: typer.Typer) -> None:
    """Adds the command of this module to the application."""
    app.command("doctor", rich_help_panel="The pipeline")(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list of the findings.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Look for what is wrong: versions, disk, memory, ports, proxies, credentials, git, DVC, settings, locks, servers and clocks.

    Each problem has what mends it. The text holds no secret, so that it can go into a bug report as it is; of credentials it only
    says which are set. Nothing is changed.

    Exit code 0: no problem; 1: at least one. A note is no problem.
    """
    with boundary(debug, verbose):
        from dataclasses import asdict

        from flows.diagnosis.diagnosis import describe_diagnosis, diagnose

        findings = diagnose(resolve_workspace(workspace))
        text = (
            json.dumps([asdict(one) for one in findings], ensure_ascii=False, indent=1) if as_json else describe_diagnosis(findings)
        )
        typer.echo(text)
        if any(finding.verdict == "problem" for finding in findings):
            raise typer.Exit(EXIT_PROBLEMS)
