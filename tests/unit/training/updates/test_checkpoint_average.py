from __future__ import annotations

import torch

from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.training.updates.checkpoint_average import CheckpointAverage


def make_model() -> Seq2Seq:
    return build_model(ModelSection(width=8), 9, 9, joint=False)


def weights(model: Seq2Seq) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]).clone()


def test_the_mean_is_over_the_last_validations_alone() -> None:
    models = [make_model() for _ in range(4)]
    average = CheckpointAverage(models[0], 3)
    for number, model in enumerate(models):
        average.take(model, 10 * (number + 1))
        expected = torch.stack([weights(one) for one in models[max(0, number - 2) : number + 1]]).mean(dim=0)
        torch.testing.assert_close(weights(average.model), expected)
    assert {key.split(".", 1)[0] for key in average.tensors()} == {"00000020", "00000030", "00000040"}


def test_a_validation_that_is_made_again_counts_once() -> None:
    first, second = make_model(), make_model()
    average = CheckpointAverage(first, 2)
    average.take(first, 4)
    average.take(second, 8)
    before = weights(average.model)
    average.take(second, 8)
    assert torch.equal(weights(average.model), before)
    torch.testing.assert_close(before, (weights(first) + weights(second)) / 2)


def test_a_restored_average_goes_on_bit_for_bit() -> None:
    models = [make_model() for _ in range(3)]
    average, twin = CheckpointAverage(models[0], 2), CheckpointAverage(models[0], 2)
    average.take(models[0], 1)
    average.take(models[1], 2)
    twin.take(models[2], 9)  # goes
    twin.restore(average.tensors())
    assert torch.equal(weights(twin.model), weights(average.model))
    for one in (average, twin):
        one.take(models[2], 3)
    assert torch.equal(weights(twin.model), weights(average.model))
