"""The stages as commands, for ``dvc.yaml`` and for users."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Verbose, Workspace, resolve_workspace
from seq2seq_core.errors import UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stage_table import STAGES, Stage, find_stage
from seq2seq_core.training.distributed.rank_environment import end_with_launcher, find_rank_place

if TYPE_CHECKING:
    from seq2seq_core.artifacts import Paths
    from seq2seq_core.config.settings import Settings

logger = logging.getLogger(__name__)
PANEL = "Stages (what dvc.yaml runs)"


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    own_commands: dict[str, Callable[..., None]] = {"train": train, "export": export}
    for stage in STAGES:
        command = own_commands.get(stage.name) or _make_command(stage)
        app.command(stage.command_name, help=stage.help, rich_help_panel=PANEL)(command)


def _make_command(stage: Stage) -> Callable[..., None]:
    """A command without options of its own."""

    def command(workspace: Workspace = None, debug: Debug = False, verbose: Verbose = False) -> None:
        _run_stage(stage, workspace, debug, verbose)

    return command


def train(
    workspace: Workspace = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Ignore and remove the saved state of an interrupted training.")
    ] = False,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Runs ``train``, the only stage that resumes an interrupted run and that can run as several processes."""
    end_with_launcher()
    place = find_rank_place()
    with boundary(debug, verbose):
        paths = resolve_workspace(workspace)
    with boundary(debug, verbose, paths, "train", place), ExitStack() as stack:
        from flows.workspaces.workspace_record import check_version
        from seq2seq_core.cli.initial_weights_option import pin_initial_weights
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.device import count_devices
        from seq2seq_core.serving.found_models import find_judges
        from seq2seq_core.stages.looking_ahead import check_engine, check_vocoder
        from seq2seq_core.stages.train import run_train
        from seq2seq_core.tracking.driver_watch import stop_without_driver
        from seq2seq_core.tracking.session import open_stage_recorder

        check_version(paths.root)
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
        judges = find_judges(settings.train, paths) if is_heard else {}
        # Restarted ranks resume from their saved state.
        is_anew = from_scratch and not (place and place.restarts)
        recorder = stack.enter_context(open_stage_recorder("train", settings, paths, not is_anew)) if is_heard else NullRecorder()
        if is_heard:
            check_engine(settings)
            check_vocoder(settings, paths)
            _say_outlook(settings, paths)
            stack.enter_context(_reported("train", settings, paths))
        run_train(settings, paths, recorder, is_anew, initial, judges)


def export(
    workspace: Workspace = None,
    to: Annotated[
        Literal["ctranslate2", "torch"] | None,
        typer.Option(help="Write the model for this engine to --output, for use elsewhere; no stage runs.", show_default=False),
    ] = None,
    compute: Annotated[
        Literal["float32", "int8", "int8_float32", "int16", "bfloat16"] | None,
        typer.Option(help="Of --to: the type of the weights; by default float32.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Of --to: a new folder for the model and its certificate.", show_default=False),
    ] = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Runs ``export``, or writes the model for use elsewhere."""
    if to is None and compute is None and output is None:
        _run_stage(find_stage("export"), workspace, debug, verbose)
        return
    with boundary(debug, verbose):
        from seq2seq_core.bundle.config_file import StoredEngine
        from seq2seq_core.config.decoding_options import QUANTIZED_TYPES
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.stages.export_elsewhere import export_elsewhere

        if to is None or output is None:
            raise UserError("--to and --output: must both be given, or neither of them and no --compute")
        if to == "torch" and compute not in QUANTIZED_TYPES:
            raise UserError(f"--compute: must be {' or '.join(QUANTIZED_TYPES)} with --to torch, got {compute or 'float32'}")
        paths = resolve_workspace(workspace)
        engine = StoredEngine(name=to, compute_type=compute or "float32")
        typer.echo(export_elsewhere(load_settings(paths.params), paths, engine, output).to_markdown(), nl=False)


def _say_outlook(settings: Settings, paths: Paths) -> None:
    """Says what gain the test set can prove; a training never fails for it."""
    from seq2seq_core.registry.outlook import foresee

    try:
        outlook = foresee(settings, paths)
    except Exception as error:  # noqa: BLE001 - a forecast; what is wrong with the files, later stages say
        logger.debug("no outlook: %s", error)
        return
    if outlook is not None:
        logger.info("%s", outlook.sentence)


def _run_stage(stage: Stage, workspace: Workspace, debug: bool, verbose: bool) -> None:
    """Loads the settings, opens the recorder and calls the stage's function."""
    with boundary(debug, verbose):
        paths = resolve_workspace(workspace)
    with boundary(debug, verbose, paths, stage.name), ExitStack() as stack:
        from flows.workspaces.workspace_record import check_version
        from seq2seq_core.allocation import uncollected_imports, uncollected_loading
        from seq2seq_core.config.settings import load_settings
        from seq2seq_core.tracking.driver_watch import stop_without_driver
        from seq2seq_core.tracking.session import open_stage_recorder

        check_version(paths.root)
        with uncollected_loading():
            settings = load_settings(paths.params)
            run = stage.load_function()
            stack.enter_context(stop_without_driver())
            recorder = stack.enter_context(open_stage_recorder(stage.name, settings, paths))
            stack.enter_context(_reported(stage.name, settings, paths))
        with uncollected_imports():
            run(settings, paths, recorder)


def _reported(stage: str, settings: Settings, paths: Paths) -> AbstractContextManager[None]:
    """What writes the report of the run, while the stage's run in MLflow is open."""
    from seq2seq_core.run_report.stage_end import reported
    from seq2seq_core.tracking.runs.declared_graph import is_last_run

    return reported(stage, settings.register_.model_name, paths, is_last_run(stage, paths.root))
