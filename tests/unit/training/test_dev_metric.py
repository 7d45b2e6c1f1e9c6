"""The score that training goes by: its tokeniser, scores that do not move, and the warnings of both."""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.config.settings import Settings, load_settings, parse_settings
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import TrainResult, run_train

HAN = dict(zip("abcdefgh", "我你他们是的在有", strict=True))
SPELLING = {"max_steps": 24, "validate_every_steps": 4, "patience": 2, "learning_rate": 0.01, "dev_sentences": 8}


@pytest.fixture(scope="module")
def chinese(tmp_path_factory: pytest.TempPathFactory, make_settings: Callable[..., Settings]) -> Path:
    """A tokenised corpus of words and their spelling in Chinese characters, without spaces."""
    paths, chance = Paths(tmp_path_factory.mktemp("chinese")), random.Random(5)
    paths.prepared.mkdir(parents=True)
    for split, count in (("train", 120), ("dev", 8), ("test", 2)):
        words = ["".join(chance.choices("abcdefgh", k=chance.randint(4, 7))) for _ in range(count)]
        lines = [json.dumps({"source": word, "target": "".join(map(HAN.__getitem__, word))}) for word in words]
        paths.prepared_split(split).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    run_tokenize(make_settings({}), paths, NullRecorder())
    return paths.tokenized


Train = Callable[..., tuple[TrainResult, Paths]]


@pytest.fixture
def train_chinese(chinese: Path, make_settings: Callable[..., Settings], tmp_path: Path) -> Train:
    def train(name: str, dev_metric: str, **settings: Any) -> tuple[TrainResult, Paths]:
        paths = Paths(tmp_path / name)
        paths.tokenized.parent.mkdir(parents=True)
        paths.tokenized.symlink_to(chinese)
        made = make_settings(SPELLING | settings | {"dev_metric": dev_metric}, {"dropout": 0.0, "width": 32})
        return run_train(made, paths, NullRecorder()), paths

    return train


def dev_scores(paths: Paths) -> list[float]:
    with paths.training_curve.open(encoding="utf-8") as file:
        return [float(row["dev_score"]) for row in csv.DictReader(file)]


def weights_of(paths: Paths) -> bytes:
    return (paths.bundle / "model.safetensors").read_bytes()


def test_a_score_that_is_always_zero_ends_no_training_that_gets_better(
    train_chinese: Train, caplog: pytest.LogCaptureFixture
) -> None:
    by_bleu, paths = train_chinese("bleu", "bleu")
    assert (by_bleu.end, by_bleu.best_step) == ("max_steps", 24)
    assert dev_scores(paths) == [0.0] * 6
    by_loss, paths_by_loss = train_chinese("loss", "loss")
    assert (by_loss.end, by_loss.best_step) == ("max_steps", 24)
    assert weights_of(paths) == weights_of(paths_by_loss)
    assert warnings(caplog) == [
        "dev_metric bleu by the tokeniser 13a gives even the targets themselves its worst score, 0; while it is at its worst, dev "
        "loss decides on the best weights, early stopping and plateaus. Set train.dev_bleu_tokenizer or train.dev_metric: bleu by "
        "the tokeniser zh, bleu by the tokeniser char, chrf, cer, loss"
    ]


def test_with_its_tokeniser_the_score_of_chinese_moves_and_is_that_of_the_evaluation(
    train_chinese: Train, caplog: pytest.LogCaptureFixture
) -> None:
    _, paths = train_chinese("zh", "bleu", max_steps=16, dev_bleu_tokenizer="zh")
    assert min(dev_scores(paths)) > 0.0
    assert warnings(caplog) == [
        "train.dev_bleu_tokenizer: is 'zh', but evaluate.bleu_tokenizer is '13a': the BLEU of dev cannot be compared with that of "
        "test"
    ]


def test_a_score_at_its_worst_in_several_validations_is_named_once_with_those_that_move(
    train_chinese: Train, caplog: pytest.LogCaptureFixture
) -> None:
    train_chinese("exact", "exact_match", max_steps=16)
    message = (
        "step 12: dev_metric exact_match has been at its worst, 0, in 3 validations; while it is at its worst, dev loss decides on "
        "the best weights, early stopping and plateaus. What moves now, to set train.dev_metric: chrf (X), cer (X), loss"
    )
    assert [re.sub(r"\([\d.]+\)", "(X)", warning) for warning in warnings(caplog)] == [message]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.partition(".")[0] == "seq2seq_core"]


def test_the_evaluation_and_training_have_a_setting_for_each_option_of_a_score() -> None:
    for option in fields(ScoringOptions):
        if option.name == "has_several_references":  # rows of test are put together; training scores each row of dev
            continue
        assert option.name in EvaluateSection.model_fields
        assert f"dev_{option.name}" in PhaseSettings.model_fields
        assert option.default == EvaluateSection.model_fields[option.name].default
        assert option.default == PhaseSettings.model_fields[f"dev_{option.name}"].default


OTHERS = {"corpus": {"path": "x", "files": {"train": ["a"]}}, "register": {"model_name": "m", "metric": "chrf"}}


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({}, []),
        ({"train": {"dev_metric": "bleu"}}, []),
        ({"train": {"dev_metric": "bleu", "dev_bleu_tokenizer": "zh"}, "evaluate": {"bleu_tokenizer": "zh"}}, []),
        ({"train": {"dev_metric": "chrf", "dev_bleu_tokenizer": "zh"}}, []),
        ({"train": {"dev_metric": "bleu", "dev_bleu_tokenizer": "zh"}, "evaluate": {"metrics": ["chrf"]}}, []),
        ({"train": {"dev_metric": "bleu", "dev_bleu_tokenizer": "zh"}}, [("train", "zh", "13a")]),
        ({"train": {"dev_metric": "bleu"}, "evaluate": {"bleu_tokenizer": "char"}}, [("train", "13a", "char")]),
        (
            {"train": {"phases": [{"objective": "likelihood"}, {"objective": "likelihood", "dev_metric": "bleu"}],
                       "dev_bleu_tokenizer": "zh"}},
            [("train.phases.1", "zh", "13a")],
        ),
    ],
)  # fmt: skip
def test_two_different_bleus_are_warned_of(sections: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    assert parse_settings(OTHERS | sections, "test").cautions() == [
        f"{where}.dev_bleu_tokenizer: is {dev!r}, but evaluate.bleu_tokenizer is {test!r}: the BLEU of dev cannot be compared with "
        "that of test"
        for where, dev, test in expected
    ]


def test_check_settings_warns_of_two_different_bleus_and_ready_settings_have_none(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(json.dumps(OTHERS | {"train": {"dev_metric": "bleu", "dev_bleu_tokenizer": "zh"}}), encoding="utf-8")
    result = CliRunner().invoke(app, ["check-settings", str(file)])
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            f"{file}: all settings are valid",
            "the corpus folder x is not there: its files and columns are not checked",
        ],
    )
    assert result.stderr == (
        "warning: train.dev_bleu_tokenizer: is 'zh', but evaluate.bleu_tokenizer is '13a': the BLEU of dev cannot be compared with "
        "that of test\n"
    )
    ready = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
    assert ready
    assert [load_settings(file).cautions() for file in ready] == [[]] * len(ready)
