"""The plain implementation that our training is compared with computes what ours computes."""

from __future__ import annotations

import pytest
import torch

from benchmarks.peers.plain import PlainTraining, PlainTransformer, as_plain, summed_loss
from benchmarks.training import our_model
from seq2seq_core.batching.batch import Batch, collate_pairs
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.config.train import Phase
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.training.hardware.precision import choose_placement
from seq2seq_core.training.objectives.objective import Moment, UpdateSize
from seq2seq_core.training.updates.updater import Updater

VOCABULARY = 50
SHAPE = {"architecture": "transformer", "width": 16, "layers": 2, "heads": 4, "feedforward_width": 24, "dropout": 0.0}
EOS_ID = 3


def make_batch(seed: int) -> Batch:
    """Rows of different lengths on both sides."""
    chance = torch.Generator().manual_seed(seed)
    rows = [[*torch.randint(4, VOCABULARY, (length,), generator=chance).tolist(), EOS_ID] for length in (7, 3, 5, 4, 8, 2)]
    return collate_pairs(rows[:3], rows[3:], [0, 1, 2])


@pytest.fixture
def models() -> tuple[Seq2Seq, PlainTransformer]:
    """Ours, every weight random (also those that begin as 0 or 1), and the plain one with the same weights."""
    torch.manual_seed(11)
    ours = build_model(ModelSection.model_validate(our_model(SHAPE)), VOCABULARY, VOCABULARY, joint=True)
    with torch.no_grad():
        for parameter in ours.parameters():
            if parameter.ndim < 2:
                parameter.normal_()
    plain = PlainTransformer(VOCABULARY, SHAPE)
    plain.load_state_dict(as_plain(ours.state_dict()))
    return ours, plain


def test_loss_and_gradients_are_ours(models: tuple[Seq2Seq, PlainTransformer]) -> None:
    ours, plain = models
    batch, recipe = make_batch(seed=1), Phase(objective="likelihood")
    objective = Updater(ours, recipe, choose_placement(RuntimeSection(device="cpu"))).objective
    ours.train()
    result = objective.loss(ours, batch, UpdateSize(batch.num_target_tokens, 3), Moment(1, seed=1))
    result.loss.backward()  # type: ignore[no-untyped-call]
    plain.train()
    loss = summed_loss(plain, batch, recipe.label_smoothing) / batch.num_target_tokens
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(result.loss.detach()) == pytest.approx(float(loss.detach()), rel=1e-5)
    assert float(result.negative_log_likelihood) == pytest.approx(float(summed_loss(plain, batch, 0.0).detach()), rel=1e-5)
    expected = as_plain({name: parameter.grad for name, parameter in ours.named_parameters() if parameter.grad is not None})
    found = {name: parameter.grad for name, parameter in plain.named_parameters()}
    assert expected.keys() == found.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-5)


def test_updates_without_dropout_keep_the_two_models_equal(models: tuple[Seq2Seq, PlainTransformer]) -> None:
    ours, plain = models
    recipe = Phase(objective="likelihood", warmup_steps=3, learning_rate=1e-3, gradient_clip_norm=0.5)
    updater, training = Updater(ours, recipe, choose_placement(RuntimeSection(device="cpu"))), PlainTraining(plain, recipe)
    losses = []
    for step in range(1, 9):  # past the warm-up
        batch = make_batch(seed=1)
        losses.append(training.validate([batch]))
        result = updater.apply([batch], step, seed=step)
        assert result.gradient_norm > recipe.gradient_clip_norm
        assert result.learning_rate == pytest.approx(training.optimizer.param_groups[0]["lr"])
        assert result.negative_log_likelihood / result.target_tokens == pytest.approx(losses[-1], rel=1e-5)
        training.update(batch)
    assert losses[-1] < 0.99 * losses[0]


def test_validation_drops_nothing(models: tuple[Seq2Seq, PlainTransformer]) -> None:
    _, plain = models
    dropping = PlainTransformer(VOCABULARY, SHAPE | {"dropout": 0.5})
    dropping.load_state_dict(plain.state_dict())
    batches, recipe = [make_batch(seed) for seed in (1, 2)], Phase(objective="likelihood")
    dropping.train()
    found = PlainTraining(dropping, recipe).validate(batches)
    assert found == pytest.approx(PlainTraining(plain, recipe).validate(batches), rel=1e-5)
