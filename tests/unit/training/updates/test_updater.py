from __future__ import annotations

import math
import re
from typing import Any, get_args

import numpy as np
import pytest
import torch

from seq2seq_core.batching.batch import Batch, Source
from seq2seq_core.config.model import Architecture, ModelSection
from seq2seq_core.config.train import TrainSection
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.objective import BatchLoss, Moment, UpdateSize
from seq2seq_core.training.state.early_stopping import EarlyStopping
from seq2seq_core.training.state.progress_state import ProgressState
from seq2seq_core.training.updates.divergence import Pace
from seq2seq_core.training.updates.loss_scale import GROWS_AFTER, LossScale
from seq2seq_core.training.updates.updater import Updater

V = 9


def make_updater(
    seed: int, architecture: str = "gru", dropout: float = 0.0, is_bfloat16: bool = False, is_double: bool = False, **train: Any
) -> Updater:
    """In double precision two ways of adding up can be compared: float32 puts some inputs of a ReLU on either side of its kink."""
    torch.manual_seed(seed)
    section = ModelSection.model_validate({"architecture": architecture, "width": 8, "heads": 2, "dropout": dropout})
    model = build_model(section, V, V, joint=False)
    if is_double:
        model.double()
    return Updater(model, TrainSection.model_validate(train), Placement(torch.device("cpu"), is_bfloat16))


def make_pairs() -> list[tuple[list[int], list[int]]]:
    return [([4 + row % 5] * (2 + row % 3), [4 + (row * 3) % 5] * (1 + row % 4)) for row in range(8)]


def make_batch(pairs: list[tuple[list[int], list[int]]]) -> Batch:
    def pad(rows: list[list[int]]) -> torch.Tensor:
        return torch.tensor([row + [0] * (max(map(len, rows)) - len(row)) for row in rows])

    sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
    return Batch(
        source=Source(pad(sources), torch.tensor([len(source) for source in sources])),
        target_in_BT=pad([[2, *target[:-1]] for target in targets]),
        target_out_BT=pad(targets),
        target_lengths_B=torch.tensor([len(target) for target in targets]),
        num_target_tokens=sum(map(len, targets)),
        indices=np.arange(len(pairs)),
    )


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_one_batch_of_eight_equals_four_accumulated_batches_of_two(
    fresh_seed: int, architecture: str, label_smoothing: float
) -> None:
    pairs = make_pairs()
    whole, parts = (make_updater(fresh_seed, architecture, is_double=True, label_smoothing=label_smoothing) for _ in range(2))
    for step in (1, 2, 3):
        one = whole.apply([make_batch(pairs)], step, seed=0)
        four = parts.apply([make_batch(pairs[first : first + 2]) for first in range(0, 8, 2)], step, seed=0)
        assert one.gradient_norm == pytest.approx(four.gradient_norm, rel=1e-6)
        assert one.negative_log_likelihood == pytest.approx(four.negative_log_likelihood, rel=1e-6)
        assert (one.target_tokens, one.tokens) == (four.target_tokens, four.tokens)
    assert torch.allclose(weights(whole.model), weights(parts.model), atol=1e-7)


def test_tokens_are_counted_without_padding(fresh_seed: int) -> None:
    pairs = [([4, 5, 6], [7, 8]), ([4], [5])]
    result = make_updater(fresh_seed).apply([make_batch(pairs)], 1, seed=0)
    assert (result.target_tokens, result.tokens) == (3, 7)


def test_dropout_depends_on_the_seed_of_the_update_alone(fresh_seed: int) -> None:
    results = []
    for seed in (5, 5, 6):
        updater = make_updater(fresh_seed, dropout=0.5)
        torch.rand(int(torch.randint(1, 100, ())))  # whatever the stream has been used for
        results.append(updater.apply([make_batch(make_pairs())], 1, seed).negative_log_likelihood)
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_each_batch_of_an_update_has_a_seed_and_the_step_is_that_of_the_phase(fresh_seed: int) -> None:
    moments: list[Moment] = []

    class Listening(Likelihood):
        def loss(self, model: Seq2Seq, batch: Batch, size: UpdateSize, moment: Moment) -> BatchLoss:
            moments.append(moment)
            assert size == UpdateSize(target_tokens=2 * batch.num_target_tokens, sentences=16)
            return super().loss(model, batch, size, moment)

    plain = make_updater(fresh_seed)
    listening = Listening(plain.settings, plain.placement)
    updater = Updater(plain.model, plain.settings, plain.placement, phase_step=40, objective=listening)
    batch = make_batch(make_pairs())
    assert updater.apply([batch, batch], 41, seed=5).learning_rate == plain.settings.learning_rate / 400
    updater.apply([batch, batch], 42, seed=6)
    assert [moment.step for moment in moments] == [1, 1, 2, 2]
    assert len({moment.seed for moment in moments}) == 4


def test_the_gradient_is_clipped_to_the_given_norm(fresh_seed: int) -> None:
    updater = make_updater(fresh_seed, gradient_clip_norm=0.01)
    result = updater.apply([make_batch(make_pairs())], 1, seed=0)
    clipped = torch.cat([parameter.grad.flatten() for parameter in updater.model.parameters() if parameter.grad is not None]).norm()
    assert result.gradient_norm > 0.02
    assert float(clipped) == pytest.approx(0.01, rel=1e-3)


def test_a_clip_norm_of_zero_leaves_the_gradient_alone(fresh_seed: int) -> None:
    updater = make_updater(fresh_seed, gradient_clip_norm=0.0)
    result = updater.apply([make_batch(make_pairs())], 1, seed=0)
    norm = torch.cat([parameter.grad.flatten() for parameter in updater.model.parameters() if parameter.grad is not None]).norm()
    assert float(norm) == pytest.approx(result.gradient_norm, rel=1e-4)


def test_the_rate_of_the_schedule_is_the_optimisers(fresh_seed: int) -> None:
    updater = make_updater(fresh_seed, learning_rate=0.5, warmup_steps=10, schedule="constant")
    assert updater.apply([make_batch(make_pairs())], 3, seed=0).learning_rate == pytest.approx(0.15)
    assert [group["lr"] for group in updater.optimizer.param_groups] == pytest.approx([0.15, 0.15])


@pytest.mark.parametrize(
    ("is_bfloat16", "advice"),
    [
        (False, "a lower train.learning_rate, more train.warmup_steps, a train.gradient_clip_norm such as 1.0"),
        (
            True,
            "a lower train.learning_rate, more train.warmup_steps, a train.gradient_clip_norm such as 1.0, "
            "runtime.precision: float32",
        ),
    ],
)
def test_a_loss_that_is_no_number_stops_before_the_weights_change(fresh_seed: int, is_bfloat16: bool, advice: str) -> None:
    updater = make_updater(fresh_seed, is_bfloat16=is_bfloat16)
    with torch.no_grad():
        updater.model.output.bias[5] = float("nan")
    before = weights(updater.model)
    message = f"step 41: the loss is nan, expected a finite number; try {advice}"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        updater.apply([make_batch(make_pairs())], 41, seed=0)
    assert torch.equal(weights(updater.model).nan_to_num(), before.nan_to_num())


def test_a_gradient_that_is_infinite_stops_before_the_weights_change(fresh_seed: int) -> None:
    updater = make_updater(fresh_seed)
    updater.model.output.bias.register_hook(lambda gradient: gradient * float("inf"))  # type: ignore[no-untyped-call]
    before = weights(updater.model)
    with pytest.raises(UserError, match=r"^step 7: the gradient norm is (inf|nan), expected a finite number; try a lower"):
        updater.apply([make_batch(make_pairs())], 7, seed=0)
    assert torch.equal(weights(updater.model), before)


def test_a_full_gpu_is_explained(fresh_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    updater = make_updater(fresh_seed, batch_tokens=5000)

    def fill_memory(*arguments: object) -> None:
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(updater.model, "features", fill_memory)
    message = (
        "train.batch_tokens: the GPU's memory is full at step 3; expected at most what fits, got 5000 "
        "(halve it and double train.accumulation for the same updates)"
    )
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        updater.apply([make_batch(make_pairs())], 3, seed=0)


@pytest.mark.parametrize("architecture", ["gru", "transformer"])
def test_the_average_of_the_weights_follows_its_formula(fresh_seed: int, architecture: str) -> None:
    updater = make_updater(fresh_seed, architecture, average_decay=0.5)
    expected = weights(updater.model)
    for step in range(1, 16):
        updater.apply([make_batch(make_pairs())], step, seed=step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weights(updater.model)
    torch.testing.assert_close(weights(updater.kept_model), expected)
    assert not torch.allclose(weights(updater.model), expected)


def test_without_an_average_the_weights_themselves_are_kept(fresh_seed: int) -> None:
    updater = make_updater(fresh_seed)
    assert updater.kept_model is updater.model


def test_a_scaled_loss_changes_no_update(fresh_seed: int) -> None:
    weights = []
    for scale in (1.0, 2.0**12):
        updater = make_updater(fresh_seed)
        updater.pace = Pace(loss_scale=scale)
        assert updater.apply([make_batch(make_pairs())], 1, seed=0).is_applied
        weights.append(list(updater.model.parameters()))
    for plain, scaled in zip(*weights, strict=True):
        torch.testing.assert_close(scaled, plain)


def test_a_gradient_that_is_too_large_for_float16_is_left_out_and_the_scale_halved(fresh_seed: int) -> None:
    torch.manual_seed(fresh_seed)
    model = build_model(ModelSection.model_validate({"architecture": "gru", "width": 8}), V, V, joint=False)
    placement, state = (
        Placement(torch.device("cpu"), is_bfloat16=False, is_float16=True),
        ProgressState(best=EarlyStopping(metric="loss")),
    )
    updater = Updater(model, TrainSection(), placement)
    before = [parameter.detach().clone() for parameter in updater.model.parameters()]
    state.loss_scale = LossScale(factor=2.0**40)
    updater.pace = state.pace(updater.settings, scales_loss=True)
    result = updater.apply([make_batch(make_pairs())], 1, seed=0)
    assert not result.is_applied
    assert math.isfinite(result.negative_log_likelihood)
    assert all(torch.equal(*pair) for pair in zip(updater.model.parameters(), before, strict=True))
    assert state.loss_scale.after_update(result.is_applied) == LossScale(factor=2.0**39)
    updater.pace = Pace(loss_scale=2.0**8)
    assert updater.apply([make_batch(make_pairs())], 1, seed=0).is_applied
    assert not all(torch.equal(*pair) for pair in zip(updater.model.parameters(), before, strict=True))


def test_the_scale_of_the_loss_grows_after_many_updates_without_overflow() -> None:
    scale = LossScale()
    for _ in range(GROWS_AFTER):
        scale = scale.after_update(was_applied=True)
    assert scale == LossScale(factor=2.0**17)
