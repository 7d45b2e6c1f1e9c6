from __future__ import annotations

from typing import Any

import pytest

from seq2seq_core.config.settings import parse_settings
from seq2seq_core.errors import ConfigError

OBJECTIVES = "one of 'likelihood'"


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


def test_a_fault_of_a_phase_is_named_by_its_place_in_the_list() -> None:
    phases: list[Any] = [
        {"objective": "likelihood"},
        {"objective": "beauty", "learning_rate": 2, "max_step": 3},
        {"objective": "likelihood", "seed": 3},
        3,
        {},
        {"objective": "likelihood", "schedule": "cosine", "max_steps": 5},
    ]
    assert faults(phases=phases) == [
        "train.phases.1.learning_rate: must be at most 1.0, got 2",
        f"train.phases.1.objective: must be {OBJECTIVES}, got 'beauty'",
        "train.phases.1.max_step: must be a known setting, got an unknown name (value 3)",
        "train.phases.2.seed: must be a known setting, got an unknown name (value 3)",
        "train.phases.3: must be a mapping of settings, got 3",
        "train.phases.4.objective: must be given, got nothing",
        "train.phases.5: warmup_steps must be below max_steps with schedule 'cosine', got warmup_steps 400 and max_steps 5",
    ]


def test_a_fault_of_the_flat_settings_is_named_once_and_not_with_each_phase() -> None:
    assert faults(learning_rate="fast", phases=[{"objective": "likelihood"}, {"objective": "likelihood"}]) == [
        "train.learning_rate: must be a number, got 'fast'"
    ]


def test_a_phase_by_a_score_needs_decoded_sentences() -> None:
    phases = [{"objective": "likelihood"}, {"objective": "likelihood", "dev_metric": "bleu"}]
    assert faults(dev_sentences=0, phases=phases) == [
        "train.dev_sentences: must be at least 1 with train.phases.1.dev_metric 'bleu', got 0"
    ]
