"""Whole trainings by the parts of a recipe: what they do, and that a run stopped anywhere and started again is the same run."""

from __future__ import annotations

import logging
import math
import os
import re
import signal
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.batch import Batch
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import Interrupted, UserError
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.reproducibility import derive_seed
from seq2seq_core.stages.train import run_train
from seq2seq_core.training.data.update_plan import PlannedUpdate
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.objective import BatchLoss, Moment, UpdateSize
from seq2seq_core.training.state.checkpoint import Restored
from seq2seq_core.training.trainer import Trainer
from seq2seq_core.training.updates.divergence import FIRST_UPDATES, LossAverage
from seq2seq_core.training.validation import Validation, Validator
from tests.training_runs import ListRecorder, curve_without_speed, output_digests

SettingsMaker = Callable[..., Settings]
WorkspaceMaker = Callable[..., Paths]
Spoil = Callable[[BatchLoss], BatchLoss]

STEP_BACK = {"divergence": {"action": "step_back"}}


def interrupt_update(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Sends SIGTERM in the middle of an update, counted with those that diverge."""
    update, calls = Trainer._update, [0]

    def update_and_kill(self: Trainer, *arguments: Any) -> None:
        calls[0] += 1
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGTERM)
        update(self, *arguments)

    monkeypatch.setattr(Trainer, "_update", update_and_kill)


def poison(loss: BatchLoss) -> BatchLoss:
    return replace(loss, loss=loss.loss * math.nan, negative_log_likelihood=loss.negative_log_likelihood * math.nan)


def exaggerate(loss: BatchLoss) -> BatchLoss:
    return replace(loss, negative_log_likelihood=loss.negative_log_likelihood * 20)


def spoil_updates(monkeypatch: pytest.MonkeyPatch, places: Collection[tuple[int, int]], spoil: Spoil = poison) -> None:
    """Spoils the loss of the updates at some places in the data (epoch, index), whenever they are made."""
    seeds = {derive_seed(derive_seed(1, "update", *place), "batch", 0) for place in places}
    compute = Likelihood.loss

    def spoiled(self: Likelihood, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
        loss = compute(self, model, batch, size, moment)
        return spoil(loss) if moment.seed in seeds else loss

    monkeypatch.setattr(Likelihood, "loss", spoiled)


RECIPES: dict[str, dict[str, Any]] = {
    "adafactor": {"optimizer": "adafactor", "weight_decay": 0.1, "learning_rate": 0.02},
    "plateau": {"schedule": "plateau", "plateau": {"patience": 1}, "min_improvement": 10.0, "validate_every_steps": 1},
    "score at its worst": {"dev_metric": "exact_match", "schedule": "plateau", "plateau": {"patience": 1}, "patience": 2,
                           "learning_rate": 0.01, "validate_every_steps": 1},
    "average_last": {"average_last": 2, "validate_every_steps": 2},
    "freeze": {"freeze": ["encoder"], "phases": [{"objective": "likelihood", "max_steps": 4},
                                                 {"objective": "likelihood", "max_steps": 4, "freeze": ["embedding"]}]},
    "step_back": {"average_last": 2, "validate_every_steps": 2, **STEP_BACK},
    "step_back in phases": {"average_decay": 0.9, "optimizer": "adafactor", "validate_every_steps": 3, **STEP_BACK,
                            "phases": [{"objective": "likelihood", "max_steps": 4}] * 2},
}  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("number", [5, *(pytest.param(number, marks=pytest.mark.proof) for number in (2, 4, 8))])
def test_a_run_stopped_anywhere_and_started_again_ends_in_the_same_outputs(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch, number: int, recipe: str
) -> None:
    settings = make_settings({"max_steps": 8} | RECIPES[recipe], log_every_steps=1)
    whole, stopped, recorder = new_workspace("whole"), new_workspace("stopped"), ListRecorder()
    if "step_back" in recipe:
        spoil_updates(monkeypatch, [(0, 0), (0, 4), (1, 1)])
    run_train(settings, whole, recorder)
    assert bool(recorder.curve("step_backs")) == ("step_back" in recipe)
    with monkeypatch.context() as patched:
        interrupt_update(patched, number)
        with pytest.raises(Interrupted):
            run_train(settings, stopped, NullRecorder())
    run_train(settings, stopped, NullRecorder())
    assert output_digests(stopped) == output_digests(whole)
    assert curve_without_speed(stopped) == curve_without_speed(whole)


# --- plateau ---------------------------------------------------------------------------------------------------------
def test_the_rate_falls_when_dev_does_not_get_better_after_the_warm_up_and_starts_anew_in_the_next_phase(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([5.0, 6.0, 6.0, 4.0, 4.0, 4.0, 4.0, 4.0, 1.0])
    monkeypatch.setattr(Validator, "validate", lambda *arguments: Validation(next(losses), {}))
    recorder = ListRecorder()
    train = {
        "schedule": "plateau", "plateau": {"patience": 2}, "learning_rate": 0.01, "warmup_steps": 3, "validate_every_steps": 1,
        "phases": [{"objective": "likelihood", "max_steps": 8}, {"objective": "likelihood", "max_steps": 1, "warmup_steps": 0}],
    }  # fmt: skip
    run_train(make_settings(train, log_every_steps=1), new_workspace("a"), recorder)
    rates = [rate for _, rate in recorder.curve("learning_rate")]
    # Stale are validations 3 (2 is in the warm-up), 5, 6, 7 and 8.
    assert rates == pytest.approx([0.01 / 3, 0.02 / 3, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.01])


# --- the mean of the last validations --------------------------------------------------------------------------------
def test_the_mean_of_the_last_validations_is_validated_and_kept(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    losses = iter([3.0, 2.0, 1.0])

    def validate(self: Validator, model: Seq2Seq, between_batches: object) -> Validation:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return Validation(next(losses), {})

    plain = new_workspace("plain")
    run_train(make_settings({"max_steps": 3, "validate_every_steps": 1}), plain, NullRecorder())
    seen.clear()
    monkeypatch.setattr(Validator, "validate", validate)
    paths = new_workspace("averaged")
    run_train(make_settings({"max_steps": 3, "validate_every_steps": 1, "average_last": 2}), paths, NullRecorder())
    averaged, last = load_file(paths.bundle / "model.safetensors"), seen[-1]
    assert all(torch.equal(averaged[name], last[name]) for name in averaged)
    trained = load_file(plain.bundle / "model.safetensors")
    assert not all(torch.equal(averaged[name], trained[name]) for name in averaged)


# --- divergence ------------------------------------------------------------------------------------------------------
def test_by_default_a_run_that_diverges_stops_and_leaves_its_checkpoint(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_updates(monkeypatch, [(1, 1)])
    paths = new_workspace("a")
    message = (
        ": the loss is nan, expected a finite number; try a lower train.learning_rate, more train.warmup_steps, a "
        "train.gradient_clip_norm such as 1.0, or train.divergence.action: step_back, which goes on with other data from the last "
        "good state; the checkpoint of step 4 stays"
    )
    with pytest.raises(UserError, match=rf"^step \d+{re.escape(message)}$"):
        run_train(make_settings({"max_steps": 20, "validate_every_steps": 4}), paths, NullRecorder())
    assert [path.name for path in paths.training_state.glob("*/checkpoint-*.json")] == ["checkpoint-00000004.json"]


def test_stepping_back_skips_the_update_lowers_the_rate_and_says_so(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spoil_updates(monkeypatch, [(0, 3)])
    restored: list[int] = []
    restore = Trainer.restore

    def restore_and_note(self: Trainer, found: Restored) -> None:
        restored.append(found.checkpoint.progress.step)
        restore(self, found)

    monkeypatch.setattr(Trainer, "restore", restore_and_note)
    train = {"max_steps": 6, "warmup_steps": 0, "schedule": "constant", "validate_every_steps": 2, "learning_rate": 0.01}
    recorder = ListRecorder()
    caplog.set_level(logging.WARNING)
    result = run_train(make_settings(train | STEP_BACK, log_every_steps=1), new_workspace("a"), recorder)
    assert result.steps == 6
    assert restored == [2]
    assert recorder.curve("step_backs") == [(3, 1.0)]
    assert [step for step, _ in recorder.curve("train_loss")] == [1, 2, 3, 4, 5, 6]
    assert [rate for _, rate in recorder.curve("learning_rate")] == [0.01] * 3 + [0.005] * 3
    assert all(math.isfinite(loss) for _, loss in recorder.curve("train_loss"))
    (message,) = [record.getMessage() for record in caplog.records if "stepped back" in record.getMessage()]
    assert message.startswith("step 4: the loss is nan, expected a finite number")
    assert message.endswith(
        "stepped back to the weights of step 2 (time 1 of at most 3), the learning rate is multiplied by 0.5 from now on"
    )


def test_training_ends_after_the_last_step_back_that_is_allowed(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_updates(monkeypatch, [(epoch, index) for epoch in range(1, 5) for index in range(40)])
    recorder = ListRecorder()
    message = (
        r"training stepped back 2 time\(s\) in this phase already, the most that train\.divergence\.max_step_backs allows; the "
        r"checkpoint of step \d+ stays$"
    )
    train = {"max_steps": 100, "divergence": {"action": "step_back", "max_step_backs": 2}}
    with pytest.raises(UserError, match=message):
        run_train(make_settings(train), new_workspace("a"), recorder)
    assert [value for _, value in recorder.curve("step_backs")] == [1.0, 2.0]


@pytest.mark.parametrize("phase", [0, 1])
def test_a_phase_of_which_every_update_diverges_ends_with_that_and_so_it_does_when_it_is_started_again(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch, phase: int
) -> None:
    spoil_updates(monkeypatch, [(epoch, index) for epoch in range(phase, 5) for index in range(40)])
    paths, short = new_workspace("a"), {"objective": "likelihood", "max_steps": 100, "max_epochs": 1}
    train = {"batch_tokens": 100_000, "phases": [short] * (phase + 1), **STEP_BACK}
    message = r"^step \d+: the loss is nan.*; every update of the 1 epoch\(s\) that train\.max_epochs allows diverged$"
    for _ in range(2):
        with pytest.raises(UserError, match=message):
            run_train(make_settings(train), paths, NullRecorder())


def test_weights_without_a_dev_loss_are_not_kept(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    validate, calls = Validator.validate, [0]

    def spoiled(self: Validator, *arguments: Any) -> Validation:
        calls[0] += 1
        found = validate(self, *arguments)
        return replace(found, loss=math.nan) if calls[0] == 2 else found

    monkeypatch.setattr(Validator, "validate", spoiled)
    train = {"max_steps": 6, "validate_every_steps": 2}
    with pytest.raises(UserError, match=r"^step 4: the dev loss is nan, expected a number; .+; the checkpoint of step 2 stays$"):
        run_train(make_settings(train), new_workspace("a"), NullRecorder())
    calls[0], recorder = 0, ListRecorder()
    run_train(make_settings(train | STEP_BACK), new_workspace("b"), recorder)
    losses = dict(recorder.curve("dev_loss"))
    assert losses[4] == losses[2]
    assert list(losses) == [2, 4, 6]


def test_a_loss_that_leaps_is_noticed_before_it_is_applied(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_updates(monkeypatch, [(0, 1), *((epoch, 2) for epoch in range(9, 30))], exaggerate)
    divergence = {"spike_factor": 3.0}
    train = {"max_steps": 80, "batch_tokens": 120, "validate_every_steps": 80, "divergence": divergence}
    message = (
        r"^step \d+: the loss leapt to \d+\.\d+, expected at most \d+\.\d+ by its running average and train\.divergence\."
        r"spike_factor; try a lower .+; no checkpoint was written yet$"
    )
    with pytest.raises(UserError, match=message):
        run_train(make_settings(train), new_workspace("a"), NullRecorder())
    recorder = ListRecorder()
    step_back = {"action": "step_back", "spike_factor": 3.0, "max_step_backs": 50, "rate_factor": 1.0}
    forgiving = {**train, "validate_every_steps": 10, "divergence": step_back}
    run_train(make_settings(forgiving, log_every_steps=1), new_workspace("b"), recorder)
    assert recorder.curve("step_backs")
    assert all(loss < 20 for step, loss in recorder.curve("train_loss") if step is not None and step > FIRST_UPDATES)


def test_the_limit_follows_the_running_average() -> None:
    train = RECIPES["step_back"] | {"divergence": {"spike_factor": 2.0}}
    divergence = Settings.model_validate(
        {"corpus": {"path": "x", "files": {"train": ["t"]}}, "register": {"model_name": "m"}, "train": train}
    ).train.divergence
    average = LossAverage()
    for number in range(FIRST_UPDATES):
        assert average.limit(divergence) == math.inf
        average.add(1.0 + number % 2)
    assert average.value == pytest.approx(1.5)
    assert average.limit(divergence) == pytest.approx(3.0)
    near_zero = LossAverage(value=0.01, updates=FIRST_UPDATES)
    assert near_zero.limit(divergence) == pytest.approx(0.11)


def test_a_loss_that_leaps_soon_after_stepping_back_to_the_beginning_is_noticed_too(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    divergence = {"action": "step_back", "spike_factor": 3.0, "rate_factor": 1.0}
    train = {"max_steps": FIRST_UPDATES + 8, "batch_tokens": 120, "validate_every_steps": 100, "divergence": divergence}
    settings, places, update = make_settings(train, log_every_steps=1), list[tuple[int, int]](), Trainer._update

    def note_place(self: Trainer, planned: PlannedUpdate, *arguments: Any) -> None:
        places.append((planned.place.epoch, planned.place.index))
        update(self, planned, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_update", note_place)
        run_train(settings, new_workspace("undisturbed"), NullRecorder())
    spoil_updates(monkeypatch, [places[FIRST_UPDATES + 2], *places[FIRST_UPDATES + 5 : FIRST_UPDATES + 7]], exaggerate)
    whole, stopped, recorder = new_workspace("whole"), new_workspace("stopped"), ListRecorder()
    run_train(settings, whole, recorder)
    assert [value for _, value in recorder.curve("step_backs")] == [1.0, 2.0, 3.0]
    assert all(loss < 20 for _, loss in recorder.curve("train_loss"))
    with monkeypatch.context() as patched:
        interrupt_update(patched, FIRST_UPDATES + 5)  # between two steps back
        with pytest.raises(Interrupted):
            run_train(settings, stopped, NullRecorder())
    run_train(settings, stopped, NullRecorder())
    assert output_digests(stopped) == output_digests(whole)
    assert curve_without_speed(stopped) == curve_without_speed(whole)


def test_what_a_run_has_seen_before_it_stepped_back_to_the_beginning_counts_on() -> None:
    young, old = LossAverage(), LossAverage()
    for number in range(1, 4):
        young.add(float(number))
    for number in range(FIRST_UPDATES):
        old.add(4.0 + number % 2)
    for _ in range(100):
        old.add(1.0)
    assert old.value < 2.0
    assert young.after_stepping_back(LossAverage()) == young
    assert old.after_stepping_back(LossAverage()) == LossAverage(value=old.first or 0.0, updates=FIRST_UPDATES, first=old.first)
    assert old.first == pytest.approx(4.5)
    good = LossAverage(value=2.0, updates=FIRST_UPDATES, first=2.5)
    assert old.after_stepping_back(good) == good


def test_a_damaged_good_state_ends_training_with_what_was_to_be_done(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_updates(monkeypatch, [(0, 3)])
    paths = new_workspace("a")
    save = Trainer._save

    def save_and_tear(self: Trainer, *arguments: Any, **named: Any) -> None:
        save(self, *arguments, **named)
        self.store.settle()
        if self.state.step == 2:
            os.truncate(self.store.folder / "checkpoint-00000002.safetensors", 9)

    monkeypatch.setattr(Trainer, "_save", save_and_tear)
    with pytest.raises(
        UserError, match=r"; there is no whole checkpoint of a good state to step back to; the checkpoint of step 2"
    ):
        run_train(make_settings({"max_steps": 6, "validate_every_steps": 2, **STEP_BACK}), paths, NullRecorder())
