"""From a model that has learned a little, learning by reward goes on: the mean reward of what it says rises, from a fresh seed."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train

LETTERS = "abcd"
WEAK_STEPS = 60
REQUIRED_GAIN = 0.05


class RewardRecorder(NullRecorder):
    def __init__(self) -> None:
        self.rewards: list[float] = []

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if "reward" in metrics:
            self.rewards.append(metrics["reward"])


def make_settings(objective: str, seed: int, **reinforcement: Any) -> Settings:
    return parse_settings(
        {
            "corpus": {"path": "x", "files": {"train": ["train.tsv"]}},
            "register": {"model_name": "m"},
            "tokenize": {"source": {"model": "char"}, "target": {"model": "char"}},
            "model": {"width": 32, "dropout": 0.0},
            "train": {
                "seed": seed, "learning_rate": 0.005, "warmup_steps": 10, "schedule": "constant", "label_smoothing": 0.0,
                "patience": 0, "dev_sentences": 20, "validate_every_steps": 1000,
                "phases": [
                    {"objective": "likelihood", "max_steps": WEAK_STEPS, "batch_tokens": 400},
                    {"objective": objective, "max_steps": 60, "batch_tokens": 200, "learning_rate": 0.004,
                     "reinforcement": {"reward": "cer", "num_samples": 6} | reinforcement},
                ],
            },
            "runtime": {"device": "cpu", "progress": "plain", "log_every_steps": 10},
        },
        "test",
    )  # fmt: skip


@pytest.mark.proof
@pytest.mark.parametrize(("objective", "settings"), [("self_critical", {}), ("minimum_risk", {"sharpness": 0.5})])
def test_the_mean_reward_rises(objective: str, settings: dict[str, Any], fresh_seed: int, tmp_path: Path) -> None:
    paths, chance, recorder = Paths(tmp_path), random.Random(fresh_seed), RewardRecorder()
    paths.prepared.mkdir(parents=True)
    for split, count in (("train", 400), ("dev", 20), ("test", 4)):
        words = ["".join(chance.choices(LETTERS, k=chance.randint(1, 5))) for _ in range(count)]
        lines = [json.dumps({"source": word, "target": word}) for word in words]
        paths.prepared_split(split).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    sections = make_settings(objective, fresh_seed, **settings)
    run_tokenize(sections, paths, NullRecorder())
    run_train(sections, paths, recorder)
    first, last = recorder.rewards[0], max(recorder.rewards[-2:])
    print(recorder.rewards)  # noqa: T201
    assert first < 0.95, "the first phase left nothing to learn"
    assert last >= first + REQUIRED_GAIN
