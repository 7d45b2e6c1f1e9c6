"""Frames as sources (pictures) and as targets (speech): a killed training goes on, and two processes learn what one does."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.samples.sample_pictures import write_sample_pictures
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.training.trainer import Trainer
from tests.prepared_processes import CONTEXT
from tests.spoken_tones import write_tones
from tests.training_runs import output_digests
from tests.unit.speech import conftest as speech
from tests.unit.stages.frames import test_picture_corpus as pictures
from tests.unit.training.distributed import rank_programs as programs
from tests.unit.training.distributed.rank_processes import run_on_ranks
from tests.unit.training.distributed.test_ranks import losses

STEPS, KEPT, KILLED = 12, 4, 7
TRAIN: dict[str, Any] = {
    "max_steps": STEPS, "validate_every_steps": KEPT, "warmup_steps": 1, "batch_tokens": 400, "accumulation": 2, "patience": 0,
}  # fmt: skip
CLOCK: dict[str, Any] = {"log_every_steps": 1, "device": "cpu", "num_threads": 1, "progress": "plain"}
FRAMES: dict[str, Any] = {"frames_per_step": 3, "pre_net_width": 8, "post_net_layers": 1, "post_net_width": 8}


@dataclass(frozen=True)
class Task:
    """A task of frames: its generated corpus, and its settings with chance in every update, or without."""

    write: Callable[[Path], object]
    settings: Callable[[bool], Settings]


def of_pictures(is_random: bool) -> Settings:
    changes = {"shift": 0.1, "scale": 0.1, "slant": 0.1, "contrast": 0.3, "noise": 0.1}
    train = TRAIN | {"ctc_weight": 0.5, "dev_metric": "loss"} | ({"picture_augment": changes if is_random else {}})
    model = pictures.LINES["model"] | {"width": 16, "dropout": 0.1 * is_random}
    return pictures.make_settings(pictures.LINES, train=train, model=model, runtime=CLOCK)


def of_speech(is_random: bool) -> Settings:
    chance = {"pre_net_dropout": 0.5, "frame_dropout": 0.2, "drops_in_decoding": True} if is_random else {"pre_net_dropout": 0.0}
    model = {"width": 16, "dropout": 0.1 * is_random, "frames": FRAMES | chance}
    return speech.make_settings(train=TRAIN, model=model, runtime=CLOCK)


TASKS = {
    "pictures": Task(lambda root: write_sample_pictures(root / "corpus", {"train": 24, "dev": 4, "test": 2}), of_pictures),
    "speech": Task(lambda root: write_tones(root / "raw", train=24, dev=4, test=2), of_speech),
}


@pytest.fixture(scope="module", params=list(TASKS))
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Task]:
    """A workspace up to ``tokenize``, to be copied, and its task."""
    root, task = tmp_path_factory.mktemp(request.param), TASKS[request.param]
    task.write(root)
    for run in (run_prepare, run_tokenize):
        run(task.settings(True), Paths(root), NullRecorder())
    return root, task


def copies(root: Path, folder: Path) -> tuple[Paths, Paths]:
    return tuple(Paths(Path(shutil.copytree(root, folder / name))) for name in "ab")  # type: ignore[return-value]


@pytest.mark.proof
def test_a_training_killed_in_an_update_ends_in_the_same_bytes(
    workspace: tuple[Path, Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root, task), updates, update = workspace, list[int](), Trainer._update
    whole, killed = copies(root, tmp_path)
    programs.train(task.settings(True), whole)
    process = CONTEXT.Process(target=programs.train_and_die, args=(task.settings(True), killed, KILLED))
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    assert not killed.bundle.exists()

    def count(self: Trainer, *arguments: Any) -> None:
        updates.append(self.state.step + 1)
        update(self, *arguments)

    monkeypatch.setattr(Trainer, "_update", count)
    programs.train(task.settings(True), killed)
    assert updates == list(range(KEPT + 1, STEPS + 1))
    assert output_digests(killed) == output_digests(whole)


@pytest.mark.proof
def test_two_processes_learn_what_one_learns(workspace: tuple[Path, Task], tmp_path: Path) -> None:
    root, task = workspace
    alone, together = copies(root, tmp_path)
    programs.train(task.settings(False), alone)
    results = run_on_ranks(2, programs.train, task.settings(False), together)
    assert [result.steps for result in results] == [STEPS] * 2
    assert len(losses(alone)) == STEPS
    assert losses(together) == pytest.approx(losses(alone), rel=1e-5)
    assert losses(together, "dev_loss") == pytest.approx(losses(alone, "dev_loss"), rel=1e-5)
