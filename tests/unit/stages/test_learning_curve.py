from __future__ import annotations

import os
import re
import signal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.cli.main import app
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.errors import Interrupted, UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.learning_curve import choose_part, describe_curve, run_learning_curve
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.training.trainer import Trainer
from tests.reversed_words import write_reversed_words
from tests.training_runs import ListRecorder

SECTIONS: dict[str, Any] = {
    "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
    "register": {"model_name": "m"},
    "tokenize": {"source": {"model": "char"}, "target": {"model": "char"}},
    "model": {"width": 16, "dropout": 0.0},
    "train": {"max_steps": 6, "warmup_steps": 3, "batch_tokens": 200, "validate_every_steps": 3, "dev_sentences": 5},
    "runtime": {"device": "cpu", "progress": "plain"},
}
HALVES = [Fraction(1, 2), Fraction(1)]


@pytest.fixture
def settings() -> Settings:
    return parse_settings(SECTIONS, "test")


@pytest.fixture
def paths(tmp_path: Path, settings: Settings) -> Paths:
    """A workspace with a small tokenised corpus: words to their reverse."""
    paths = Paths(tmp_path)
    write_reversed_words(paths)
    run_tokenize(settings, paths, NullRecorder())
    return paths


def test_a_larger_part_holds_every_smaller_one_and_all_is_all() -> None:
    parts = [choose_part(100, Fraction(eighths, 8), seed=4) for eighths in range(1, 9)]
    assert [len(part) for part in parts] == [12, 25, 38, 50, 62, 75, 88, 100]
    assert all(set(small) < set(large) for small, large in pairwise(parts))
    assert all(list(part) == sorted(part) for part in parts)
    assert set(choose_part(100, Fraction(1, 2), seed=5)) != set(parts[3])


def test_the_smallest_part_has_a_pair() -> None:
    assert len(choose_part(10, Fraction(1, 1000), seed=1)) == 1


def test_a_part_of_a_dataset_has_its_pairs(paths: Paths) -> None:
    whole = TokenizedDataset.open(paths.tokenized, "train")
    part = whole.select(np.array([7, 3]))
    assert len(part) == 2
    assert part.source_lengths.tolist() == [len(whole.source(7)), len(whole.source(3))]
    for place, index in enumerate((7, 3)):
        assert part.source(place).tolist() == whole.source(index).tolist()
        assert part.target(place).tolist() == whole.target(index).tolist()


def test_the_curve_has_a_point_for_each_size_and_all_of_train_gives_what_training_gives(paths: Paths, settings: Settings) -> None:
    recorder = ListRecorder()
    results = run_learning_curve(settings, paths, recorder, [Fraction(1), Fraction(1, 2)])
    assert [(result.pairs, result.steps) for result in results] == [(30, 6), (60, 6)]
    assert [(step, list(metrics)) for step, metrics in recorder.points] == [
        (30, ["dev_loss", "dev_score"]), (60, ["dev_loss", "dev_score"]),
    ]  # fmt: skip
    assert recorder.texts == {"learning_curve.txt": describe_curve(results)}
    assert not paths.bundle.exists()
    trained = run_train(settings, paths, NullRecorder())
    assert (results[1].dev_loss, results[1].best_step) == (trained.best_dev_loss, trained.best_step)
    assert results[0].dev_loss != results[1].dev_loss


def test_what_was_trained_is_not_trained_again_and_an_interrupted_size_goes_on(
    paths: Paths, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run_learning_curve(settings, paths, NullRecorder(), HALVES)
    again = Paths(tmp_path / "again")
    again.tokenized.parent.mkdir(parents=True)
    again.tokenized.symlink_to(paths.tokenized)
    update, made = Trainer._update, []

    def count_and_kill(self: Trainer, *arguments: Any) -> None:
        made.append(self.state.step)
        if len(made) == 8:
            os.kill(os.getpid(), signal.SIGINT)
        update(self, *arguments)

    monkeypatch.setattr(Trainer, "_update", count_and_kill)
    with pytest.raises(Interrupted, match=r"^training stopped after step 2 by SIGINT; its state is saved"):
        run_learning_curve(settings, again, NullRecorder(), HALVES)
    assert run_learning_curve(settings, again, NullRecorder(), HALVES) == expected
    assert made == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]


def test_other_settings_leave_no_finished_state_of_the_earlier_ones(paths: Paths, settings: Settings) -> None:
    other = parse_settings(SECTIONS | {"train": SECTIONS["train"] | {"seed": 2}}, "test")
    for section in (settings, other):
        run_learning_curve(section, paths, NullRecorder(), [Fraction(1)])
    assert len(list((paths.learning_curves / "60").iterdir())) == 1


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ([], "--fraction: must be given at least once, got nothing"),
        ([Fraction(0)], "--fraction: must be above 0 and at most 1, got 0"),
        ([Fraction(1, 2), Fraction(3, 2)], "--fraction: must be above 0 and at most 1, got 3/2"),
    ],
)
def test_fractions_that_are_none_are_refused(paths: Paths, settings: Settings, fractions: list[Fraction], message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        run_learning_curve(settings, paths, NullRecorder(), fractions)
    assert not paths.learning_curves.exists()


def test_the_command_prints_the_table(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("seq2seq_core.tracking.session.find_spec", lambda name: None)  # no MLflow: the local recorder
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    paths.params.write_text(yaml.safe_dump(SECTIONS))
    earlier = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    result = CliRunner().invoke(app, ["learning-curve", "--fraction", "1/2", "--fraction", "1", "-C", str(paths.root)])
    wrong = CliRunner().invoke(app, ["learning-curve", "--fraction", "half", "-C", str(paths.root)])
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), earlier, strict=True):
        signal.signal(number, handler)
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines() if line]
    assert lines[0] == ["fraction", "pairs", "steps", "best", "step", "dev", "loss", "dev", "score"]
    assert [line[:3] for line in lines[1:]] == [["1/2", "30", "6"], ["1", "60", "6"]]
    assert wrong.exit_code == 2
    assert "error: --fraction: must be a number such as 1/8 or 0.3, got 'half'" in wrong.stderr
