"""Several phases one after another: what each starts from, and that a kill anywhere changes nothing."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.settings import Settings
from seq2seq_core.config.train import TrainSection
from seq2seq_core.errors import Interrupted
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.train import run_train
from seq2seq_core.training.data.update_plan import Place
from seq2seq_core.training.state.early_stopping import EarlyStopping
from seq2seq_core.training.state.progress_state import ProgressState
from seq2seq_core.training.trainer import Trainer
from seq2seq_core.training.updates.schedule import learning_rate
from seq2seq_core.training.updates.updater import Updater
from seq2seq_core.training.validation import Validation, Validator
from tests.training_runs import (
    ListRecorder,
    check_that_a_finished_training_is_not_repeated,
    curve_without_speed,
    interrupt_update,
    output_digests,
    train_until,
)

SettingsMaker = Callable[..., Settings]
WorkspaceMaker = Callable[..., Paths]

TWO_PHASES: dict[str, Any] = {
    "phases": [
        {"objective": "likelihood", "max_steps": 7},
        {"objective": "likelihood", "max_steps": 6, "learning_rate": 0.002, "schedule": "constant", "batch_tokens": 90,
         "label_smoothing": 0.0, "dev_metric": "cer"},
    ]
}  # fmt: skip


def die_between_phases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up, as a kill would, when the next phase's state is made."""

    def fail(self: ProgressState, metric: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressState, "enter_next_phase", fail)


# --- settings --------------------------------------------------------------------------------------------------------
def test_without_a_list_there_is_one_phase_by_likelihood_with_the_flat_settings() -> None:
    (phase,) = TrainSection(max_steps=30, learning_rate=0.25).all_phases()
    assert (phase.objective, phase.max_steps, phase.learning_rate) == ("likelihood", 30, 0.25)


def test_a_phase_takes_what_it_leaves_out_from_the_flat_settings(make_settings: SettingsMaker) -> None:
    first, second = make_settings(TWO_PHASES).train.all_phases()
    assert (first.max_steps, first.learning_rate, first.warmup_steps, first.dev_metric) == (7, 0.001, 3, "loss")
    assert (second.max_steps, second.learning_rate, second.warmup_steps, second.dev_metric) == (6, 0.002, 3, "cer")


def test_settings_with_phases_survive_being_written_out(make_settings: SettingsMaker) -> None:
    train = make_settings(TWO_PHASES).train
    assert TrainSection.model_validate(train.model_dump(mode="json")) == train


# --- a phase ---------------------------------------------------------------------------------------------------------
def test_a_phase_begins_with_an_epoch_of_its_own_and_a_fresh_best() -> None:
    state = ProgressState(best=EarlyStopping(metric="loss", step=9, num_stale=2), step=12, next_place=Place(epoch=3, index=2))
    state.enter_next_phase("cer")
    assert state.next_place == Place(epoch=4)
    assert (state.steps_in_phase, state.epochs_in_phase, state.full_epochs, state.phase) == (0, 0, 3, 1)
    assert state.best == EarlyStopping(metric="cer")


def test_an_epoch_that_a_phase_has_ended_is_not_skipped() -> None:
    state = ProgressState(best=EarlyStopping(metric="loss"), step=12, next_place=Place(epoch=3))
    state.enter_next_phase("loss")
    assert (state.next_place, state.full_epochs) == (Place(epoch=3), 3)


def test_each_phase_has_its_own_schedule_over_one_axis_of_steps(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker
) -> None:
    settings, paths, recorder = make_settings(TWO_PHASES, log_every_steps=1), new_workspace("a"), ListRecorder()
    result = run_train(settings, paths, recorder)
    assert (result.steps, result.end) == (13, "max_steps")
    assert recorder.steps("train_loss") == list(range(1, 14))
    assert recorder.steps("dev_loss") == [4, 7, 11, 13]
    first, second = settings.train.all_phases()
    expected = [learning_rate(step, first) for step in range(1, 8)] + [learning_rate(step, second) for step in range(1, 7)]
    assert [metrics["learning_rate"] for _, metrics in recorder.points if "learning_rate" in metrics] == expected
    assert [metrics["phase"] for _, metrics in recorder.points if "phase" in metrics] == [0.0] * 7 + [1.0] * 6
    with paths.training_curve.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["phase"], row["step"]) for row in rows] == [("0", "4"), ("0", "7"), ("1", "11"), ("1", "13")]
    assert result.best_step in (11, 13)


def test_no_point_of_the_curves_spans_two_phases(new_workspace: WorkspaceMaker, make_settings: SettingsMaker) -> None:
    recorder = ListRecorder()
    run_train(make_settings(TWO_PHASES, log_every_steps=5), new_workspace("a"), recorder)
    assert recorder.steps("train_loss") == [5, 7, 10]


def test_a_phase_starts_from_the_best_weights_of_the_one_before_with_a_fresh_optimiser(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([1.0, 2.0, 3.0, 2.0])
    monkeypatch.setattr(Validator, "validate", lambda *arguments: Validation(next(losses), {"chrf": 1.0, "cer": 0.5}))
    starts: list[tuple[dict[str, torch.Tensor], int]] = []
    build = Updater.__init__

    def build_and_look(self: Updater, model: Seq2Seq, *arguments: Any) -> None:
        build(self, model, *arguments)
        starts.append(({name: value.clone() for name, value in model.state_dict().items()}, len(self.optimizer.state)))

    monkeypatch.setattr(Updater, "__init__", build_and_look)
    paths, short = new_workspace("a"), new_workspace("short")
    run_train(make_settings(TWO_PHASES), paths, NullRecorder())
    losses = iter([1.0])
    run_train(make_settings({"max_steps": 4}), short, NullRecorder())  # the best step of the first phase
    expected = load_file(short.bundle / "model.safetensors")
    weights, num_moments = starts[1]
    assert all(torch.equal(weights[name], value) for name, value in expected.items())
    assert num_moments == 0


def test_patience_counts_anew_in_each_phase(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([1.0, 2.0, 3.0, 9.0, 10.0, 11.0])
    monkeypatch.setattr(Validator, "validate", lambda *arguments: Validation(next(losses), {}))
    phase = {"objective": "likelihood", "validate_every_steps": 1, "patience": 2, "max_steps": 100}
    result = run_train(make_settings({"phases": [phase, phase]}), new_workspace("a"), NullRecorder())
    assert (result.steps, result.best_step, result.best_dev_loss, result.end) == (6, 4, 9.0, "patience")


# --- killed and started again ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("architecture", "average_decay"), [("gru", 0.0), ("gru", 0.9), ("transformer", 0.0)])
@pytest.mark.parametrize("step", [7, 11, *(pytest.param(step, marks=pytest.mark.proof) for step in (3, 8, 12))])
def test_a_run_stopped_in_any_phase_and_started_again_ends_in_the_same_outputs(
    new_workspace: WorkspaceMaker,
    make_settings: SettingsMaker,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    architecture: str,
    average_decay: float,
) -> None:
    train = {**TWO_PHASES, "average_decay": average_decay}
    settings = make_settings(train, model={"architecture": architecture}, log_every_steps=3)
    whole, stopped = new_workspace("whole"), new_workspace("stopped")
    run_train(settings, whole, NullRecorder())
    with monkeypatch.context() as patched:
        interrupt_update(patched, step)
        with pytest.raises(Interrupted, match=rf"^training stopped after step {step} by SIGTERM"):
            run_train(settings, stopped, NullRecorder())
    assert not stopped.bundle.exists()
    run_train(settings, stopped, NullRecorder())
    assert output_digests(stopped) == output_digests(whole)
    assert curve_without_speed(stopped) == curve_without_speed(whole)


def test_a_run_killed_between_two_phases_and_started_again_ends_in_the_same_outputs(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(TWO_PHASES)
    whole, killed = new_workspace("whole"), new_workspace("killed")
    run_train(settings, whole, NullRecorder())
    for _ in range(2):
        with monkeypatch.context() as patched:
            die_between_phases(patched)
            with pytest.raises(KeyboardInterrupt):
                run_train(settings, killed, NullRecorder())
    run_train(settings, killed, NullRecorder())
    assert output_digests(killed) == output_digests(whole)
    assert curve_without_speed(killed) == curve_without_speed(whole)


def test_a_damaged_state_of_the_second_phase_falls_back_into_the_first(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings(TWO_PHASES)
    whole, torn = new_workspace("whole"), new_workspace("torn")
    run_train(settings, whole, NullRecorder())
    train_until(9, settings, torn, monkeypatch)
    last = max(torn.training_state.glob("*/checkpoint-*.safetensors"))
    assert last.name == "checkpoint-00000009.safetensors"
    os.truncate(last, 100)
    run_train(settings, torn, NullRecorder())
    assert any("a damaged training state is left out" in message for message in caplog.messages)
    assert output_digests(torn) == output_digests(whole)
    assert curve_without_speed(torn) == curve_without_speed(whole)


def test_a_finished_training_of_several_phases_is_not_repeated(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_that_a_finished_training_is_not_repeated(make_settings(TWO_PHASES), new_workspace("a"), monkeypatch)


def test_one_listed_phase_gives_the_weights_of_the_flat_settings(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker
) -> None:
    flat, listed = new_workspace("flat"), new_workspace("listed")
    run_train(make_settings({}), flat, NullRecorder())
    run_train(make_settings({"phases": [{"objective": "likelihood"}]}), listed, NullRecorder())
    assert bundle_digest(flat.bundle) == bundle_digest(listed.bundle)
    assert flat.training_curve.read_text().startswith("step,")
    assert listed.training_curve.read_text().startswith("phase,step,")


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_run_with_every_way_of_supervised_training_goes_on_bit_for_bit(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    ways = {
        "r_drop_weight": 1.0,
        "accumulation": 2,
        "scheduled_sampling": {"decay": "linear", "decay_steps": 20},
        "subword_sampling": {"sides": "both", "alpha": 0.5},
    }
    settings = make_settings(TWO_PHASES | ways, kind=kind, log_every_steps=3)
    whole, stopped = new_workspace("whole", kind), new_workspace("stopped", kind)
    recorder = ListRecorder()
    run_train(settings, whole, recorder)
    assert recorder.steps("dropout_divergence") == recorder.steps("reference_probability") == recorder.steps("train_loss")
    train_until(11, settings, stopped, monkeypatch)
    run_train(settings, stopped, NullRecorder())
    assert output_digests(stopped) == output_digests(whole)
    assert curve_without_speed(stopped) == curve_without_speed(whole)


@pytest.mark.parametrize(
    ("objective", "measures"),
    [("minimum_risk", ("reward", "risk", "entropy", "sample_log_probability")),
     ("self_critical", ("reward", "baseline_reward", "entropy", "sample_log_probability"))],
)  # fmt: skip
def test_a_phase_by_reward_goes_on_bit_for_bit_with_workers_or_without(
    new_workspace: WorkspaceMaker,
    make_settings: SettingsMaker,
    monkeypatch: pytest.MonkeyPatch,
    objective: str,
    measures: tuple[str, ...],
) -> None:
    second = {
        "objective": objective,
        "max_steps": 6,
        "accumulation": 2,
        "reinforcement": {"num_samples": 3, "likelihood_weight": 0.1},
    }
    train = {"phases": [{"objective": "likelihood", "max_steps": 5}, second]}
    whole, stopped, recorder = new_workspace("whole"), new_workspace("stopped"), ListRecorder()
    run_train(make_settings(train), whole, recorder)
    assert all(recorder.steps(name) == [6, 9] for name in measures)
    assert recorder.steps("train_loss") == [3, 5, 6, 9]
    train_until(8, make_settings(train), stopped, monkeypatch)
    run_train(make_settings(train, reward_workers=1), stopped, NullRecorder())
    assert output_digests(stopped) == output_digests(whole)
    assert curve_without_speed(stopped) == curve_without_speed(whole)


def forbid_phase(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Fails an update of a phase."""
    update = Trainer._update

    def update_or_fail(self: Trainer, *arguments: Any) -> None:
        assert self.state.phase != number
        update(self, *arguments)

    monkeypatch.setattr(Trainer, "_update", update_or_fail)


def test_a_phase_added_to_a_finished_training_starts_from_it(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {"phases": TWO_PHASES["phases"][:1]}
    whole, added, recorder = new_workspace("whole"), new_workspace("added"), ListRecorder()
    run_train(make_settings(TWO_PHASES, log_every_steps=3), whole, NullRecorder())
    run_train(make_settings(first, log_every_steps=3), added, NullRecorder())
    forbid_phase(monkeypatch, 0)
    run_train(make_settings(TWO_PHASES, log_every_steps=3), added, recorder)
    assert output_digests(added) == output_digests(whole)
    assert recorder.steps("train_loss") == [step for step, metrics in curve_without_speed(whole) if "train_loss" in metrics]


def test_a_change_of_a_later_phase_trains_the_earlier_one_never_again(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {"phases": [TWO_PHASES["phases"][0], {**TWO_PHASES["phases"][1], "max_steps": 4}]}
    whole, twice = new_workspace("whole"), new_workspace("twice")
    run_train(make_settings(changed), whole, NullRecorder())
    run_train(make_settings(TWO_PHASES), twice, NullRecorder())
    with monkeypatch.context() as patched:
        forbid_phase(patched, 0)
        interrupt_update(patched, 8)
        with pytest.raises(Interrupted):
            run_train(make_settings(changed), twice, NullRecorder())
    run_train(make_settings(changed), twice, NullRecorder())
    assert output_digests(twice) == output_digests(whole)
    assert curve_without_speed(twice) == curve_without_speed(whole)


def test_from_scratch_trains_the_first_phases_too(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, paths = make_settings(TWO_PHASES), new_workspace("a")
    run_train(settings, paths, NullRecorder())
    forbid_phase(monkeypatch, 0)
    with pytest.raises(AssertionError):
        run_train(settings, paths, NullRecorder(), from_scratch=True)


def test_a_damaged_state_of_a_first_phase_is_trained_again(
    new_workspace: WorkspaceMaker, make_settings: SettingsMaker, caplog: pytest.LogCaptureFixture
) -> None:
    first = {"phases": TWO_PHASES["phases"][:1]}
    whole, torn = new_workspace("whole"), new_workspace("torn")
    run_train(make_settings(TWO_PHASES), whole, NullRecorder())
    run_train(make_settings(first), torn, NullRecorder())
    (best,) = torn.training_state.glob("*/best-*.safetensors")
    os.truncate(best, 100)
    run_train(make_settings(TWO_PHASES), torn, NullRecorder())
    assert any("a damaged training state is left out" in message for message in caplog.messages)
    assert output_digests(torn) == output_digests(whole)
