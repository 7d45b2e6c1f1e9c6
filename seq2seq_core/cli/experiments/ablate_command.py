"""The command ``s2s ablate``: does a rule of ``prepare`` help?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Verbose, Workspace, resolve_workspace
from seq2seq_core.errors import UserError

PANEL = "Corpora and settings"


def add_to(app: typer.Typer) -> None:
    """Adds the command of this module to the application."""
    app.command("ablate", rich_help_panel=PANEL)(ablate)


def ablate(
    rule: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RULE[=VALUE]]...",
            help="A setting of prepare to do without, such as drop_copies, or a value to try, such as max_length_ratio=3. "
            "By default each rule that is on and drops a row of train is tried without.",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=2, help="Trainings of each variant, which differ by their seed.")] = 3,
    max_steps: Annotated[int, typer.Option("--max-steps", min=1, help="Most updates of each training.")] = 1000,
    changed: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of all trainings, such as model.width=64.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Train small models with and without rules of prepare, and say which rules help.

    Each variant prepares the raw corpus anew and trains a small model several times; all are judged by the same dev pairs. The
    table has the gain of the present settings with its interval and p-value, which count the rows of dev and the chance of
    trainings.

    Reads params.yaml and the raw corpus; touches no output of the pipeline. Ctrl-C keeps what is trained (.s2s/ablation); the same
    command goes on, and trains nothing twice.
    """
    with boundary(debug, verbose):
        from dataclasses import asdict

        from seq2seq_core.ablation.ablation_run import AblationRequest, check_request, describe_ablation, run_ablation
        from seq2seq_core.ablation.rule_choice import parse_changes
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.tracking.session import open_stage_recorder

        paths = resolve_workspace(workspace)
        settings = load_settings(paths.params)
        request = AblationRequest(parse_changes(rule or [], settings.prepare), seeds, max_steps, parse_overrides(changed or []))
        check_request(paths, request)
        with open_stage_recorder("ablate", settings, paths) as recorder:
            result = run_ablation(paths, recorder, request)
        typer.echo(json.dumps(asdict(result), ensure_ascii=False) + "\n" if as_json else describe_ablation(result), nl=False)


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Settings by dotted names.

    Args:
        texts: such as ``model.width=64``; the value is YAML.

    Raises:
        UserError: a text is something else.
    """
    import yaml

    found = dict[str, Any]()
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or "." not in name:
            raise UserError(f"--set: must be SECTION.NAME=VALUE, such as model.width=64, got {text!r}")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--set: the value must be YAML, got {text!r}") from None
    return found
