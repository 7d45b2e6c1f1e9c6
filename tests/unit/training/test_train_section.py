from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core.config.settings import parse_settings
from seq2seq_core.errors import ConfigError


def faults(**train: Any) -> list[str]:
    sections = {"corpus": {"path": "x", "files": {"train": ["t.tsv"]}}, "register": {"model_name": "m"}, "train": train}
    with pytest.raises(ConfigError) as caught:
        parse_settings(sections, "params.yaml")
    return caught.value.faults


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_warm_up_as_long_as_training_is_refused_where_the_rate_falls_to_the_last_step(schedule: str) -> None:
    assert faults(schedule=schedule, warmup_steps=100, max_steps=100) == [
        f"train: warmup_steps must be below max_steps with schedule '{schedule}', got warmup_steps 100 and max_steps 100"
    ]


def test_a_decay_of_one_is_refused() -> None:
    assert faults(adam_betas=[0.9, 1.0]) == ["train.adam_betas.1: must be below 1.0, got 1.0"]
