from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.batching.batch import Batch, Source
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.regularization import ScheduledSampling
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.objective import Moment, UpdateSize
from seq2seq_core.training.objectives.scheduled_sampling import mix_in_predictions, reference_probability

V = 9
CPU = Placement(torch.device("cpu"), is_bfloat16=False)
BATCH = Batch(
    source=Source(torch.tensor([[5, 6, 3], [7, 3, 0]]), torch.tensor([3, 2])),
    target_in_BT=torch.tensor([[2, 4, 5, 6], [2, 7, 0, 0]]),
    target_out_BT=torch.tensor([[4, 5, 6, 3], [7, 3, 0, 0]]),
    target_lengths_B=torch.tensor([4, 2]),
    num_target_tokens=6,
    indices=np.arange(2),
)


def repeat_batch(times: int) -> Batch:
    """The two pairs under one another, again and again."""
    source = Source(BATCH.source.values.repeat(times, 1), BATCH.source.lengths_B.repeat(times))
    targets = (BATCH.target_in_BT.repeat(times, 1), BATCH.target_out_BT.repeat(times, 1), BATCH.target_lengths_B.repeat(times))
    return Batch(source, *targets, 6 * times, np.tile(BATCH.indices, times))


def make_model(architecture: str = "gru", dropout: float = 0.3) -> Seq2Seq:
    section = ModelSection.model_validate({"architecture": architecture, "width": 8, "heads": 2, "dropout": dropout})
    return build_model(section, V, V, joint=False).train()


def probabilities(*steps: int, **settings: Any) -> list[float]:
    section = ScheduledSampling.model_validate(settings)
    return [reference_probability(step, section) for step in steps]


def test_a_linear_decay_falls_in_equal_steps_to_its_lowest_probability() -> None:
    expected = [0.9, 0.5, 0.2, 0.2, 0.2]
    assert probabilities(10, 50, 80, 90, 1000, decay="linear", decay_steps=100, lowest_probability=0.2) == pytest.approx(expected)


def test_an_inverse_sigmoid_is_a_half_after_k_ln_k_updates_and_comes_to_nothing() -> None:
    k = math.e**3
    step = round(k * 3)
    near, half, far = probabilities(1, step, 10**9, decay="inverse_sigmoid", decay_steps=k)
    assert near == pytest.approx(k / (k + math.exp(1 / k)))
    assert half == pytest.approx(0.5, abs=0.01)
    assert far < 1e-300


def test_without_a_decay_the_references_are_always_read() -> None:
    assert probabilities(1, 10**6) == [1.0, 1.0]


@pytest.mark.parametrize("architecture", ["gru", "transformer"])
def test_with_probability_one_the_loss_and_its_gradient_are_those_of_teacher_forcing(architecture: str, fresh_seed: int) -> None:
    model = make_model(architecture)
    gradients = []
    for decay in ("none", "linear"):
        settings = PhaseSettings.model_validate({"scheduled_sampling": {"decay": decay, "lowest_probability": 1.0}})
        torch.manual_seed(fresh_seed)  # of dropout
        model.zero_grad()
        result = Likelihood(settings, CPU).loss(model, BATCH, UpdateSize(6, 2), Moment(10**6, 5))
        result.loss.backward()  # type: ignore[no-untyped-call]
        found = {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}
        gradients.append(found | {"loss": result.loss.detach()})
    assert gradients[0].keys() == gradients[1].keys()
    assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0])


@pytest.mark.parametrize("architecture", ["gru", "transformer"])
def test_with_probability_zero_each_symbol_is_drawn_from_the_model_at_the_position_before(architecture: str) -> None:
    model = make_model(architecture)
    model.output.bias.data[[0, 2, 3]] = 20.0  # pad, bos and eos are likely, but never read
    mixed = mix_in_predictions(model, repeat_batch(4000), 0.0, 5).view(4000, 2, 4)
    assert model.training
    assert torch.equal(mixed[:, :, 0], torch.full((4000, 2), 2))
    assert torch.equal(mixed[:, 1, 2:], torch.zeros(4000, 2, dtype=torch.int64))
    logits_BTV = model.eval()(BATCH.source, BATCH.target_in_BT).detach()
    logits_BTV[:, :, [0, 2, 3]] = float("-inf")
    expected_BTV = logits_BTV.softmax(-1)
    for row, position in ((0, 1), (0, 3), (1, 1)):
        frequencies_V = torch.bincount(mixed[:, row, position], minlength=V) / 4000
        assert torch.allclose(frequencies_V, expected_BTV[row, position - 1], atol=0.06)


def test_the_share_of_references_is_the_probability_and_the_seed_decides_which() -> None:
    model = make_model()
    model.output.bias.data[8] = 50.0  # the prediction is always 8, which no reference has
    batch = repeat_batch(1500)
    kept = mix_in_predictions(model, batch, 0.7, 5)[:, 1:][batch.target_in_BT[:, 1:] > 0] != 8
    assert float(kept.float().mean()) == pytest.approx(0.7, abs=0.04)
    assert torch.equal(mix_in_predictions(model, BATCH, 0.5, 4), mix_in_predictions(model, BATCH, 0.5, 4))


def test_the_probability_of_an_update_is_a_figure_of_the_curves() -> None:
    settings = PhaseSettings.model_validate({"scheduled_sampling": {"decay": "linear", "decay_steps": 100}})
    result = Likelihood(settings, CPU).loss(make_model(), BATCH, UpdateSize(6, 2), Moment(25, 5))
    assert result.measures["reference_probability"] == (0.75, 1.0)


def test_tags_are_read_as_they_are_and_never_predicted() -> None:
    batch = repeat_batch(50)
    mixed_BT = mix_in_predictions(make_model(), batch, 0.0, seed=3, tag_ids=range(4, 6))
    is_tag_BT = (batch.target_in_BT == 4) | (batch.target_in_BT == 5)
    assert torch.equal(mixed_BT[is_tag_BT], batch.target_in_BT[is_tag_BT])
    is_free_BT = batch.target_in_BT > 5
    assert set(mixed_BT[is_free_BT].tolist()) == {1, 6, 7, 8}
