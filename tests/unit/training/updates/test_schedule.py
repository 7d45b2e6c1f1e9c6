from __future__ import annotations

import math
from typing import Any, get_args

import pytest

from seq2seq_core.config.recipe import Plateau
from seq2seq_core.config.train import Schedule, TrainSection
from seq2seq_core.named_modules import names_of
from seq2seq_core.training.updates import schedules
from seq2seq_core.training.updates.schedule import learning_rate
from seq2seq_core.training.updates.schedules.plateau import PlateauState


def rates(*steps: int, **settings: Any) -> list[float]:
    section = TrainSection.model_validate({"learning_rate": 0.8, "warmup_steps": 4, "max_steps": 11} | settings)
    return [learning_rate(step, section) for step in steps]


def test_each_schedule_that_the_settings_name_is_a_module_and_each_module_is_a_schedule() -> None:
    assert names_of(schedules.__name__) == tuple(sorted(get_args(Schedule)))


@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_every_schedule_warms_up_in_equal_steps_to_its_peak(schedule: str) -> None:
    assert rates(1, 2, 3, 4, schedule=schedule) == pytest.approx([0.2, 0.4, 0.6, 0.8])


@pytest.mark.parametrize("warmup_steps", [0, 4])
@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_every_schedule_stays_above_zero_and_up_to_its_peak(schedule: str, warmup_steps: int) -> None:
    assert all(0.0 < rate <= 0.8 for rate in rates(*range(1, 12), schedule=schedule, warmup_steps=warmup_steps))


@pytest.mark.parametrize(("schedule", "expected"), [("linear", 0.8 * 11 / 12), ("cosine", 0.4 * (1 + math.cos(math.pi / 12)))])
def test_without_warm_up_the_fall_begins_with_the_first_step(schedule: str, expected: float) -> None:
    assert rates(1, schedule=schedule, warmup_steps=0) == pytest.approx([expected])


def test_a_constant_rate_stays() -> None:
    assert rates(5, 11, schedule="constant") == [0.8, 0.8]


def test_the_inverse_square_root_halves_at_four_times_the_warm_up() -> None:
    assert rates(16, 64, schedule="inverse_sqrt") == pytest.approx([0.4, 0.2])


def test_a_linear_rate_falls_in_equal_steps_and_would_be_zero_after_the_last() -> None:
    assert rates(5, 8, 11, 12, schedule="linear") == pytest.approx([0.7, 0.4, 0.1, 0.0])


def test_a_cosine_rate_is_half_way_down_in_the_middle_and_would_be_zero_after_the_last() -> None:
    assert rates(6, 8, 12, schedule="cosine") == pytest.approx([0.4 * (1 + math.cos(math.pi / 4)), 0.4, 0.0])


def test_a_plateau_lowers_the_rate_after_so_many_validations_without_progress() -> None:
    state, settings = PlateauState(), Plateau(factor=0.5, patience=2)
    seen = [True, False, True, False, False, False, False, False, True, False]
    assert [state.observe(has_improved, settings) for has_improved in seen] == [
        False, False, False, False, True, False, True, False, False, False,
    ]  # fmt: skip
    assert state.scale(settings) == 0.25
    assert PlateauState.model_validate_json(state.model_dump_json()) == state


def test_a_plateau_has_a_lowest_rate() -> None:
    settings = Plateau(factor=0.1, patience=1, lowest_fraction=0.05)
    assert [PlateauState(num_reductions=number).scale(settings) for number in range(4)] == [1.0, 0.1, 0.05, 0.05]
