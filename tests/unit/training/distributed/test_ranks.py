from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.config.settings import Settings
from seq2seq_core.errors import UserError
from seq2seq_core.training.data.inputs import read_inputs
from seq2seq_core.training.distributed.process_group import GroupRanks, settings_of_rank
from seq2seq_core.training.distributed.rank_environment import RankPlace, find_rank_place
from seq2seq_core.training.distributed.sharded_optimizer import choose_owners
from seq2seq_core.training.state.curve_log import read_curves
from seq2seq_core.training.state.folder_lock import lock_folder
from seq2seq_core.training.state.phase_states import PhaseStates
from tests.unit.training.distributed import rank_programs as programs
from tests.unit.training.distributed.rank_processes import run_on_ranks
from tests.unit.training.objectives import test_monolingual_mixture as monolingual

TRAIN: dict[str, Any] = {"max_steps": 12, "validate_every_steps": 4, "batch_tokens": 100}


def losses(paths: Paths, name: str = "train_loss") -> list[float]:
    curves = max(paths.training_state.glob("*/curves.jsonl"), key=lambda path: path.stat().st_size)  # that of all phases
    return [metrics[name] for _, metrics in read_curves(curves) if name in metrics]


def weights(paths: Paths) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(paths.bundle / "model.safetensors")


# --- the same updates ------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "number"), [("gru", 2), ("transformer", 3)])
def test_several_processes_learn_what_one_learns(
    make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths], architecture: str, number: int
) -> None:
    train = {"max_steps": 50, "validate_every_steps": 10, "batch_tokens": 40, "accumulation": 3}
    settings = make_settings(train, {"architecture": architecture, "dropout": 0.0}, log_every_steps=1)
    alone, together = new_workspace("alone"), new_workspace("together")
    programs.train(settings, alone)
    results = run_on_ranks(number, programs.train, settings, together)
    assert results[0].steps == 50
    assert all(result == results[0] for result in results)
    assert len(losses(alone)) == 50
    assert losses(together) == pytest.approx(losses(alone), rel=1e-5)
    assert losses(together, "dev_loss") == pytest.approx(losses(alone, "dev_loss"), rel=1e-5)
    assert losses(together, "dev_chrf") == pytest.approx(losses(alone, "dev_chrf"), abs=1e-6)
    assert json.loads(together.train_report.read_text())["best_step"] == json.loads(alone.train_report.read_text())["best_step"]


@pytest.mark.parametrize(
    ("sizes", "number", "shards"), [([2, 2, 2, 2], 2, False), ([8], 2, False), ([1, 7], 3, False), ([2, 3, 3], 2, True)]
)
def test_one_batch_of_eight_rows_equals_several_batches_on_several_ranks(
    fresh_seed: int, sizes: list[int], number: int, shards: bool
) -> None:
    how: dict[str, Any] = {"seed": fresh_seed, "architecture": "transformer", "is_double": True}
    figures, logits, _ = programs.update_alone([8], 50, **how)
    losses, gradient_norms, *numbers_of_tokens = zip(*figures, strict=True)
    for own_figures, own_logits, _ in run_on_ranks(number, partial(programs.update_together, sizes, 50, shards, **how)):
        own_losses, own_norms, *own_numbers = zip(*own_figures, strict=True)
        assert own_losses == pytest.approx(losses, rel=1e-6)
        assert own_norms == pytest.approx(gradient_norms, rel=1e-6)
        assert own_numbers == numbers_of_tokens
        assert torch.allclose(own_logits, logits, atol=1e-6)


def test_whole_batches_have_the_same_dropout_on_any_number_of_ranks(fresh_seed: int) -> None:
    program = partial(programs.update_together, [2, 2, 2, 2], 2, seed=fresh_seed, dropout=0.5)
    two, four = run_on_ranks(2, program), run_on_ranks(4, program)
    assert two[0][0] == [pytest.approx(expected, rel=1e-5) for expected in four[0][0]]
    split, *_ = run_on_ranks(3, program)
    assert two[0][0] != [pytest.approx(expected, rel=1e-5) for expected in split[0]]


def test_pieces_of_one_batch_draw_different_dropout() -> None:
    ranks = GroupRanks(0, 2)
    draws = []
    for key in ((0, 0), (0, 4), (1,), (0, 0)):
        ranks.seed_piece(7, key)
        draws.append(float(torch.rand(())))
    assert draws[0] == draws[3]
    assert len(set(draws)) == 3


def test_parameters_that_no_rank_used_have_no_gradient_and_others_the_sum(fresh_seed: int) -> None:
    alone = programs.gradients_alone([8])
    for own in run_on_ranks(2, partial(programs.gradients_together, [8])):
        assert own.keys() == alone.keys()
        assert "encoder" not in {name.split(".")[0] for name, gradient in own.items() if gradient is not None}
        for name, gradient in alone.items():
            assert (own[name] is None) == (gradient is None)
            assert gradient is None or torch.allclose(own[name], gradient, atol=1e-6)


# --- every way of training -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("objective", ["minimum_risk", "self_critical"])
def test_learning_by_reward_works_over_ranks(
    make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths], objective: str
) -> None:
    phases = [
        {"objective": "likelihood", "max_steps": 4},
        {"objective": objective, "max_steps": 4, "reinforcement": {"num_samples": 2}},
    ]
    settings, paths = make_settings(TRAIN | {"phases": phases}, log_every_steps=1), new_workspace("a")
    assert [result.steps for result in run_on_ranks(2, programs.train, settings, paths)] == [8, 8]
    assert len(losses(paths, "reward")) == 4


def test_learning_without_translations_works_over_ranks_and_a_second_run_begins_after_finished_phases(tmp_path: Path) -> None:
    phases = [{"objective": "denoising", "max_steps": 3}, monolingual.MIXED | {"max_steps": 3}]
    paths = Paths(tmp_path / "a")
    monolingual.tokenize(paths.root, has_pairs=True)
    for number in (1, 2):
        settings = monolingual.make_settings(phases[:number])
        assert [result.steps for result in run_on_ranks(2, programs.train, settings, paths)] == [3 * number] * 2
    assert losses(paths, "round_trip_chrf_en_de")
    assert losses(paths, "noise_dropped")


# --- stopping and going on -------------------------------------------------------------------------------------------
def test_a_stop_that_reaches_one_rank_stops_all_at_the_same_update_and_they_go_on_to_the_same_weights(
    make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths]
) -> None:
    settings = make_settings(TRAIN)
    whole, stopped = new_workspace("whole"), new_workspace("stopped")
    run_on_ranks(2, programs.train, settings, whole)
    message = "training stopped after step 6 by SIGTERM; its state is saved, and the same command goes on from there"
    ends = run_on_ranks(2, programs.train_until_one_rank_is_stopped, settings, stopped, 1, 6)
    assert ends == [("Interrupted", message)] * 2
    run_on_ranks(2, programs.train, settings, stopped)
    assert bundle_digest(stopped.bundle) == bundle_digest(whole.bundle)
    assert losses(stopped) == losses(whole)


def test_a_stop_while_validating_is_one_of_all_ranks(
    make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths]
) -> None:
    ends = run_on_ranks(2, programs.train_until_one_rank_is_stopped, make_settings(TRAIN), new_workspace("a"), 1, 6, True)
    assert [message.partition(";")[0] for _, message in ends] == ["training stopped after step 4 by SIGTERM"] * 2


@pytest.mark.parametrize("number", [1, 3])
def test_a_state_of_sharded_moments_is_whole_and_goes_on_on_another_number_of_ranks(
    make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths], number: int
) -> None:
    model, train = {"dropout": 0.0}, TRAIN | {"batch_tokens": 60, "accumulation": 2}
    sharded = make_settings(train, model, shard_optimizer=True)
    whole, moved = new_workspace("whole"), new_workspace("moved")
    programs.train(make_settings(train, model), whole)
    run_on_ranks(2, programs.train_until_one_rank_is_stopped, sharded, moved, 0, 6)
    (file,) = moved.training_state.glob("*/checkpoint-00000006.safetensors")
    names = {name.split(".", 1)[1] for name in safetensors.torch.load_file(file) if name.startswith("model.")}
    kept = {name.split(".", 2)[2] for name in safetensors.torch.load_file(file) if name.startswith("optimizer.exp_avg.")}
    assert kept == names
    run_on_ranks(number, programs.train, sharded, moved)
    for name, value in weights(whole).items():
        assert torch.allclose(weights(moved)[name], value, atol=2e-4), name


def test_each_rank_keeps_its_part_of_the_moments(fresh_seed: int) -> None:
    _, _, whole = programs.update_alone([8], 1, seed=fresh_seed)
    parts = [part for _, _, part in run_on_ranks(3, partial(programs.update_together, [8], 1, True, seed=fresh_seed))]
    assert sum(parts) == whole
    assert all(0 < part < whole / 2 for part in parts)


def test_the_largest_parameters_are_spread_first() -> None:
    assert choose_owners([5, 100, 60, 50, 1], 2) == [0, 0, 1, 1, 0]
    assert choose_owners([5], 3) == [0]


def test_ranks_step_back_together(make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths]) -> None:
    divergence = {"action": "step_back", "rate_factor": 0.5}
    settings, paths = make_settings(TRAIN | {"divergence": divergence}, shard_optimizer=True), new_workspace("a")
    ends = run_on_ranks(2, programs.train_with_a_gradient_that_is_no_number, settings, paths, 1, 6)
    assert ends[0].steps == 12
    assert ends[0] == ends[1]
    assert losses(paths, "step_backs") == [1.0]


def test_all_ranks_begin_with_the_weights_that_rank_0_has(
    make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths]
) -> None:
    base, alone, together = (new_workspace(name) for name in ("base", "alone", "together"))
    programs.train(make_settings(TRAIN), base)
    train = TRAIN | {"max_steps": 4, "initial_weights": str(base.bundle)}
    settings = make_settings(train, {"dropout": 0.0}, log_every_steps=1)
    programs.train(settings, alone)
    run_on_ranks(2, programs.train, settings, together)
    assert losses(together) == pytest.approx(losses(alone), rel=1e-5)


# --- faults ----------------------------------------------------------------------------------------------------------
def test_a_fault_of_one_rank_is_one_of_all(make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths]) -> None:
    ends = run_on_ranks(2, programs.train_with_a_broken_reader, make_settings(TRAIN), new_workspace("a"), 1)
    assert ends == [("PeerFault", "rank 1: ValueError: no such page"), ("ValueError", "no such page")]


def test_a_rank_that_fails_between_its_gradients_keeps_none_waiting() -> None:
    ends = run_on_ranks(3, programs.fail_in_backward, 2)
    assert ends[:2] == [("PeerFault", "rank 2: MemoryError: no room")] * 2
    assert ends[2] == ("MemoryError", "no room")


def test_ranks_whose_weights_have_come_apart_do_not_go_on(
    make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths]
) -> None:
    ends = run_on_ranks(3, programs.train_with_a_rank_that_computes_wrongly, make_settings(TRAIN), new_workspace("a"), 2)
    message = (
        "step 4: the weights of rank 2 are not those of rank 0; expected the same on all ranks (the same code and libraries on "
        "every node, and devices that compute right); the last checkpoint is as it was"
    )
    assert ends == [("RanksDiffer", message)] * 3


def test_a_state_that_another_process_holds_is_refused_by_all_ranks(
    make_settings: Callable[..., Settings], new_workspace: Callable[..., Paths]
) -> None:
    settings, paths = make_settings(TRAIN), new_workspace("a")
    key = PhaseStates.of(paths.training_state, settings.model, settings.train, read_inputs(paths.tokenized, 5).digests).whole
    with lock_folder(paths.training_state / key.folder_name):
        first, second = run_on_ranks(2, programs.train, settings, paths)
    assert first[0] == "WorkspaceBusy"
    assert second == ("PeerFault", first[1])


# --- the place of a rank ---------------------------------------------------------------------------------------------
def test_a_process_without_the_variables_of_torchrun_trains_alone() -> None:
    assert find_rank_place({"WORLD_SIZE": "2"}) is None
    assert find_rank_place({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}) == RankPlace(
        3, 8, 1, 2, 0, None
    )


def test_ranks_share_the_cores_and_one_of_them_shows_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    place = RankPlace(rank=1, number=3, local_rank=1, local_number=3, restarts=0, outcomes=None)
    own = settings_of_rank(RuntimeSection(device="cpu"), place)
    assert (own.num_threads, own.progress, own.device) == (2, "plain", "cpu")
    assert settings_of_rank(RuntimeSection(device="cpu", num_threads=5), place).num_threads == 5
    assert settings_of_rank(RuntimeSection(device="cpu", progress="bar"), None).progress == "bar"


def test_each_rank_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    places = [
        RankPlace(rank=4 + local, number=8, local_rank=local, local_number=3, restarts=0, outcomes=None) for local in range(3)
    ]
    assert [settings_of_rank(RuntimeSection(), place).device for place in places[:2]] == ["cuda:0", "cuda:1"]
    with pytest.raises(UserError, match=r"^rank 6 has no GPU: expected at most one rank for each of the 2 GPUs that PyTorch sees"):
        settings_of_rank(RuntimeSection(), places[2])
    with pytest.raises(UserError, match=r"^runtime.device: must be 'auto', 'cpu' or 'cuda' with 8 processes, got 'cuda:1'$"):
        settings_of_rank(RuntimeSection(device="cuda:1"), places[0])
