"""A short version of ``benchmarks/kills.py``: killed trainings end as undisturbed ones do, MLflow's curves included."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.kills import Workspace, differences
from seq2seq_core.artifacts import Paths
from tests.prepared_processes import CONTEXT

NUM_KILLS = 3
PACE_SECONDS = 0.1
"""All updates take seconds: none but the last training comes to its end before it is killed, however busy the machine."""


def train(root: str, pace_seconds: float) -> None:
    """What ``s2s train`` does, in this process, with updates that take at least so long."""
    os.chdir(root)
    import torch

    from seq2seq_core.config.settings import load_settings
    from seq2seq_core.stages.train import run_train
    from seq2seq_core.tracking.session import open_stage_recorder
    from seq2seq_core.training.updates.updater import Updater

    torch.set_num_threads(1)
    apply = Updater.apply

    def apply_slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(pace_seconds)
        return apply(*arguments, **options)

    Updater.apply = apply_slowly  # type: ignore[method-assign]
    paths = Paths(Path(root))
    settings = load_settings(paths.params)
    with open_stage_recorder("train", settings, paths) as recorder:
        run_train(settings, paths, recorder)


def start(workspace: Workspace, pace_seconds: float) -> BaseProcess:
    """Starts a training in a process of its own that has the modules already."""
    process = CONTEXT.Process(target=train, args=(str(workspace.root), pace_seconds))
    process.start()
    return process


def make_workspace(root: Path, database: Path, architecture: str) -> Workspace:
    """A workspace with a tokenised corpus: digits and the same digits with commas between them."""
    from seq2seq_core.config.settings import load_settings
    from seq2seq_core.recorder import NullRecorder
    from seq2seq_core.stages.tokenize import run_tokenize

    workspace = Workspace(root)
    workspace.paths.prepared.mkdir(parents=True)
    for split, numbers in {"train": range(1000, 1400), "dev": range(1400, 1420), "test": range(1420, 1430)}.items():
        rows = "".join(f'{{"source": "{number}", "target": "{",".join(str(number))}"}}\n' for number in numbers)
        workspace.paths.prepared_split(split).write_text(rows, encoding="utf-8")
    shutil.copy(database, workspace.paths.mlflow_database)
    settings = {
        "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
        "tokenize": {side: {"model": "char", "vocabulary_size": 40} for side in ("source", "target")},
        "model": {"architecture": architecture, "width": 32, "heads": 2, "feedforward_width": 64},
        "train": {"max_steps": 45, "batch_tokens": 256, "validate_every_steps": 15, "dev_sentences": 5, "average_decay": 0.9},
        "register": {"model_name": "digits"},
        "runtime": {"device": "cpu", "checkpoint_every_seconds": 0.05, "log_every_steps": 3, "progress": "plain"},
    }
    workspace.paths.params.write_text(yaml.safe_dump(settings), encoding="utf-8")
    (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    run_tokenize(load_settings(workspace.paths.params), workspace.paths, NullRecorder())
    return workspace


@pytest.mark.slow
def test_trainings_killed_at_random_moments_end_as_undisturbed_ones_do(
    tmp_path: Path,
    mlflow_template: Path,
    no_outer_run: None,
    fresh_random: random.Random,
) -> None:
    architecture = fresh_random.choice(["gru", "transformer"])  # benchmarks/kills.py takes both, and more kills
    undisturbed, killed = (make_workspace(tmp_path / name, mlflow_template, architecture) for name in ("whole", "killed"))
    start(undisturbed, 0.0).join()
    for number in range(NUM_KILLS):
        training, is_inside = start(killed, PACE_SECONDS), number % 2 == 1
        deadline, moment = time.monotonic() + 300, fresh_random.uniform(0.0, 0.5)
        while training.is_alive() and not killed.has_updates():
            assert time.monotonic() < deadline, "never came to an update"
            time.sleep(0.005)
        time.sleep(moment)
        while is_inside and training.is_alive() and not killed.drafts():
            time.sleep(0.0002)
        training.kill()
        training.join()
        assert training.exitcode == -signal.SIGKILL
        killed.kills += 1
    last = start(killed, 0.0)
    last.join()
    assert last.exitcode == 0
    assert differences(undisturbed, killed) == []
