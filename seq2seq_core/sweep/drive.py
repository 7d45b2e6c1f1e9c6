"""The run of a sweep: its file with the command line's overrides, its tracking, and the logging of its results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.sweep_file import SweepSettings, load_sweep
from seq2seq_core.errors import ConfigError
from seq2seq_core.sweep.results import SweepResults
from seq2seq_core.sweep.sweep_run import Sweep, open_sweep, sweep_folder
from seq2seq_core.tracking.runs.sweep_tracking import SweepTracking, open_sweep_tracking


@dataclass(frozen=True)
class SweepRequest:
    """A sweep's file, and the overrides of the command line.

    Attributes:
        file: the sweep's YAML file.
        name: overrides the name in the file unless empty.
        trials: overrides the number of trials in the file unless 0.
    """

    file: Path
    name: str = ""
    trials: int = 0

    def load(self) -> SweepSettings:
        """Reads the file and applies the overrides.

        Raises:
            ConfigError: the file or an override is invalid.
        """
        sweep = load_sweep(self.file)
        own = {**({"name": self.name} if self.name else {}), **({"trials": self.trials} if self.trials else {})}
        try:
            return SweepSettings.model_validate(sweep.model_dump(exclude_unset=True) | own)
        except ValueError:
            fault = f"--name: must be of letters, digits, '_', '-' and '.', got {self.name!r}"
            raise ConfigError([fault], str(self.file)) from None


@contextmanager
def driven_sweep(request: SweepRequest, paths: Paths) -> Iterator[tuple[Sweep, SweepTracking]]:
    """Opens a sweep and its tracking for the ``with`` block, which trains the trials here or by workers.

    The sweep's MLflow run ends with the block. If the block ends without an error, the results are logged first.

    Args:
        request: the sweep's file and overrides.
        paths: the workspace; reads ``params.yaml`` and ``data/tokenized``, writes ``.s2s/sweeps``.

    Raises:
        ConfigError: the sweep or the parameters are invalid.
        UserError: the sweep cannot be begun or resumed; see :func:`seq2seq_core.sweep.sweep_run.open_sweep`.
        TrackingUnreachable: MLflow does not answer.
    """
    settings = request.load()
    sweep = open_sweep(settings, str(request.file), paths)
    folder = sweep_folder(settings, paths)
    with open_sweep_tracking(settings.name, folder, sweep.space.settings, paths, is_owner=True) as tracking:
        tracking.recorder.set_tags({"metric": sweep.space.metric, "trials": str(settings.trials)})
        tracking.recorder.log_file(request.file)
        yield sweep, tracking
        _log_results(sweep.results(), tracking)


def work(request: SweepRequest, paths: Paths, max_trials: int | None = None, worker: int = 0) -> int:
    """Trains trials of a sweep that another process drives; returns the number of trials that ended here.

    Args:
        request: the sweep's file and overrides.
        paths: the workspace, shared with the driving process.
        max_trials: maximum number of trials; None for no limit.
        worker: the number of this worker, from 0.
    """
    settings = request.load()
    sweep = open_sweep(settings, str(request.file), paths, worker)
    folder = sweep_folder(settings, paths)
    with open_sweep_tracking(settings.name, folder, sweep.space.settings, paths, is_owner=False) as tracking:
        return sweep.run(tracking, max_trials)


def _log_results(results: SweepResults, tracking: SweepTracking) -> None:
    """Logs the table of trials and the best one."""
    recorder = tracking.recorder
    recorder.log_text(results.describe(), "trials.txt")
    recorder.log_text(results.to_csv(), "trials.csv")
    if results.trials and results.trials[0].state == "completed":
        best = results.best
        assert best.value is not None
        recorder.log_metrics({f"best_{results.metric}": best.value})
        recorder.set_tags({"best_trial": str(best.number)} | {f"best.{name}": str(value) for name, value in best.values.items()})
