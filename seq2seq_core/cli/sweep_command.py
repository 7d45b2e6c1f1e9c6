"""The command ``s2s sweep``, which searches over settings, and the hidden command of its workers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.boundary import boundary
from seq2seq_core.cli.option_types import Debug, Verbose, Workspace, resolve_workspace
from seq2seq_core.errors import UserError

if TYPE_CHECKING:
    from seq2seq_core.sweep.drive import SweepRequest
    from seq2seq_core.sweep.results import SweepResults

PANEL = "Corpora and settings"

SweepFile = Annotated[Path, typer.Argument(help="The sweep: a YAML file such as configs/sweeps/dates.yaml.", show_default=False)]
Trials = Annotated[int, typer.Option("--trials", "-n", min=0, help="How many trials must end; 0: as the file says.")]
Name = Annotated[str, typer.Option("--name", help="Name of the sweep; by default the file's.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this module to the application."""
    app.command("sweep", rich_help_panel=PANEL)(sweep)
    app.command("sweep-trials", hidden=True)(sweep_trials)


def sweep(
    file: SweepFile,
    trials: Trials = 0,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes that train trials side by side.")] = 1,
    name: Name = "",
    write: Annotated[
        Path | None,
        typer.Option("--write", help="Write the best trial's settings to this file.", show_default=False),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Put the best trial's settings into params.yaml.")] = False,
    prefect: Annotated[bool, typer.Option("--prefect", help="Run the trials as tasks of the Prefect flow `sweep`.")] = False,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="Remove the sweep's trials and start anew.")] = False,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Search over settings of model and train: train trials on the tokenised corpus, show them by rank, keep the best settings.

    The file names the settings to search with their ranges, the dev metric that ranks the trials, and when to stop a bad trial
    early:

        metric: exact_match
        trials: 12
        settings: {train.max_steps: 200}
        space:
          train.learning_rate: {low: 0.001, high: 0.01, log: true}
          model.width: {low: 64, high: 160, step: 32}
          model.dropout: {low: 0.0, high: 0.4, step: 0.1}

    A setting that is no number has `choices` instead of low and high: docs/sweep.md.

    Each trial is a run in MLflow below that of the sweep. By default no settings change: --write FILE writes a settings file for
    `s2s configure`; --apply changes params.yaml, and `s2s train` then takes the trained model of the best trial.

    A trial fails when it diverges, does not fit into memory, crashes twice or is killed twice at the same place. The table has
    the reason, and the sweep continues. The command fails only where no trial was completed.

    Ctrl-C, or a kill, loses nothing: the same command continues the unfinished trials (.s2s/sweeps/NAME). The same command in
    another terminal helps with the same trials. For more trials later, give --trials a larger number.
    """
    with boundary(debug, verbose):
        _require_optuna()
        from seq2seq_core.imports.shipped_files import find_ready_file
        from seq2seq_core.sweep.best_settings import check_target
        from seq2seq_core.sweep.drive import SweepRequest
        from seq2seq_core.sweep.sweep_run import forget_sweep

        paths, request = resolve_workspace(workspace), SweepRequest(find_ready_file(file).resolve(), name, trials)
        settings = request.load()
        if write is not None:
            check_target(write)
        if from_scratch:
            forget_sweep(settings, paths)
        results = _run(request, paths, jobs, through_prefect=prefect)
        typer.echo(results.describe(), nl=False)
        if not results.num_open:
            _keep_best(request, paths, results, write, apply)


def sweep_trials(
    file: SweepFile,
    trials: Trials = 0,
    name: Name = "",
    max_trials: Annotated[int, typer.Option("--max", min=0, help="Train at most this many; 0: until none is left.")] = 0,
    worker: Annotated[int, typer.Option("--worker", min=0, help="This worker's number.")] = 0,
    workspace: Workspace = None,
    debug: Debug = False,
    verbose: Verbose = False,
) -> None:
    """Train trials of a sweep that another process drives (`s2s sweep --jobs`, the flow `sweep`)."""
    with boundary(debug, verbose):
        from seq2seq_core.sweep.drive import SweepRequest, work

        work(SweepRequest(file, name, trials), resolve_workspace(workspace), max_trials or None, worker)


def _require_optuna() -> None:
    """Checks that Optuna is installed."""
    if find_spec("optuna") is None:
        raise UserError("s2s sweep needs Optuna, which is not installed here; expected the extra `sweep` (optuna 5)")


def _run(request: SweepRequest, paths: Paths, jobs: int, *, through_prefect: bool) -> SweepResults:
    """Trains the trials in this process, in several, or as tasks of a flow; returns the results."""
    if through_prefect:
        from flows.launch import run_sweep

        return run_sweep(request, paths, jobs)
    from seq2seq_core.sweep.drive import driven_sweep

    with driven_sweep(request, paths) as (sweep, tracking):
        if jobs == 1:
            sweep.run(tracking)
        else:
            from flows.sweeps.workers import run_workers

            run_workers(request, paths, jobs)
    return sweep.results()


def _keep_best(request: SweepRequest, paths: Paths, results: SweepResults, write: Path | None, apply: bool) -> None:
    """Names the best trial, or writes its settings for ``--write`` and ``--apply``."""
    from seq2seq_core.sweep.best_settings import hand_over_state, write_best
    from seq2seq_core.sweep.sweep_run import open_sweep

    best, settings = results.best, request.load()
    if not write and not apply:
        typer.echo(f"the best is trial {best.number}; --write FILE or --apply keeps its settings")
        return
    opened = open_sweep(settings, str(request.file), paths)
    changed, state = opened.space.kept_settings(best.values), opened.best_state()
    for target in [*([write] if write else []), *([paths.params] if apply else [])]:
        write_best(best, settings.name, results.metric, changed, paths, target)
        typer.echo(f"{target}: has the settings of trial {best.number}")
    if apply and state is not None and hand_over_state(state, paths):
        typer.echo("`s2s train` takes the trained model of that trial")
