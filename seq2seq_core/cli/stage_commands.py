"""The six stages as commands: ``dvc.yaml`` calls these, and so can a person."""

from __future__ import annotations

import importlib
import sys
from contextlib import ExitStack
from typing import Annotated

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Verbose, Workspace, resolve_workspace
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.training.distributed.rank_environment import end_with_launcher, find_rank_place

PANEL = "Stages (what dvc.yaml runs)"

DESCRIPTIONS = {
    "validate": """Check the raw corpus against the data contracts of params.yaml (section validate).

Reads the corpus folder; writes reports/validation.json and Great Expectations' Data Docs (.s2s/data_docs/index.html).
A broken contract of severity error stops the run and names the first offending lines.""",
    "prepare": """Clean, deduplicate and split the corpus (section prepare).

Reads the corpus folder; writes data/prepared/{train,dev,test}.jsonl, monolingual.LANGUAGE.jsonl for monolingual
corpora, and the funnel, reports/prepare.json.
A hash of its source decides the split of a pair, so a growing corpus never moves a pair.""",
    "tokenize": """Train the subword models and turn text into ids (section tokenize).

Reads data/prepared; writes data/tokenized (SentencePiece models, memory-mapped ids) and reports/tokenize.json.""",
    "evaluate": """Decode the test set and score it (section evaluate).

Reads models/bundle and data/prepared; writes reports/metrics.json (test.exact_match, test.bleu, ...), and in
reports/evaluation the predictions, the worst examples and the slices.""",
    "register": """Put the model into the MLflow registry and decide on the alias champion (section register).

Reads models/bundle and reports/metrics.json; writes the receipt reports/registration.json.
The same bundle is never registered twice.""",
}


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("code-digests", rich_help_panel=PANEL)(code_digests)
    for stage in ("validate", "prepare", "tokenize"):
        _add_stage(app, stage)
    app.command("train", rich_help_panel=PANEL)(train)
    for stage in ("evaluate", "register"):
        _add_stage(app, stage)


def _add_stage(app: typer.Typer, stage: str) -> None:
    def command(workspace: Workspace = None, debug: Debug = False, verbose: Verbose = False) -> None:
        _run_stage(stage, workspace, debug, verbose)

    app.command(stage, help=DESCRIPTIONS[stage], rich_help_panel=PANEL)(command)


def code_digests(workspace: Workspace = None, debug: Debug = False) -> None:
    """Digest the code that each stage reaches with the present settings.

    Writes reports/code/STAGE.json, which dvc.yaml's stages depend on in place of source files: a comment, a docstring or a
    part of the program that the settings do not use makes no stage stale.
    """
    with boundary(debug):
        paths = resolve_workspace(workspace)
    with boundary(debug, False, paths, "code"):
        from seq2seq_core.code_digests.files import write_code_digests
        from seq2seq_core.config.settings import load_settings

        write_code_digests(load_settings(paths.params), paths)


def train(
    workspace: Workspace = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Ignore and remove the saved state of an interrupted training.")
    ] = False,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Train the model (sections model and train).

    Reads data/tokenized; writes models/bundle, reports/train.json and reports/training_curve.csv.
    Ctrl-C saves the state; the same command continues from there and ends in the same weights.
    On several GPUs it starts one process for each (runtime.devices); over several nodes use torchrun (docs/distributed.md).
    To fine-tune, name a bundle's folder or a registered version in train.initial_weights (docs/fine-tuning.md).
    """
    end_with_launcher()
    place = find_rank_place()
    with boundary(debug, verbose):
        paths = resolve_workspace(workspace)
    with boundary(debug, verbose, paths, "train", place), ExitStack() as stack:
        from seq2seq_core.cli.initial_weights_option import pin_initial_weights
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.device import count_devices
        from seq2seq_core.stages.train import run_train
        from seq2seq_core.tracking.driver_watch import stop_without_driver
        from seq2seq_core.tracking.session import open_stage_recorder

        settings = load_settings(paths.params)
        if place is None:  # a rank ends with its launcher
            stack.enter_context(stop_without_driver())
        if place is None and (number := count_devices(settings.runtime)) > 1:
            from seq2seq_core.training.distributed.launcher import run_ranks

            flags = {"--from-scratch": from_scratch, "--debug": debug, "--verbose": verbose}
            command = [sys.executable, "-m", "seq2seq_core.cli.main", "train", "--workspace", str(paths.root)]
            run_ranks([*command, *(flag for flag, given in flags.items() if given)], number, settings.runtime.max_restarts)
            return
        is_heard = place is None or place.is_first
        settings, initial = pin_initial_weights(settings, paths) if is_heard else (settings, None)
        # Ranks that are started again go on from the state that they began.
        is_anew = from_scratch and not (place and place.restarts)
        recorder = stack.enter_context(open_stage_recorder("train", settings, paths, not is_anew)) if is_heard else NullRecorder()
        run_train(settings, paths, recorder, is_anew, initial)


def _run_stage(stage: str, workspace: Workspace, debug: bool, verbose: bool) -> None:
    """Loads the settings, opens the recorder and calls the stage's function."""
    with boundary(debug, verbose):
        paths = resolve_workspace(workspace)
    with boundary(debug, verbose, paths, stage):
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.tracking.driver_watch import stop_without_driver
        from seq2seq_core.tracking.session import open_stage_recorder

        settings = load_settings(paths.params)
        run = getattr(importlib.import_module(f"seq2seq_core.stages.{stage}"), f"run_{stage}")
        with stop_without_driver(), open_stage_recorder(stage, settings, paths) as recorder:
            run(settings, paths, recorder)
