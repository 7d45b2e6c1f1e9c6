from __future__ import annotations

import pytest
import torch

from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.training.objectives.coverage import coverage_sum
from seq2seq_core.training.objectives.label_smoothing import likelihood_sums
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.objective import Moment, UpdateSize
from tests.unit.training.objectives.test_r_drop import BATCH, CPU, V


def test_the_penalty_follows_the_written_out_formula_and_leaves_padding_out() -> None:
    attention_BTS = torch.softmax(torch.randn(2, 3, 4), dim=-1)
    expected = 0.0
    for b, length in ((0, 3), (1, 2)):
        for t in range(length):
            for s in range(4):
                coverage = sum(float(attention_BTS[b, earlier, s]) for earlier in range(t))
                expected += min(float(attention_BTS[b, t, s]), coverage)
    assert float(coverage_sum(attention_BTS, BATCH.target_out_BT)) == pytest.approx(expected, rel=1e-5)


def test_attending_to_each_position_once_costs_nothing() -> None:
    assert float(coverage_sum(torch.eye(3).unsqueeze(0), torch.tensor([[4, 5, 3]]))) == 0.0
    assert float(coverage_sum(torch.eye(3)[[0, 0, 0]].unsqueeze(0), torch.tensor([[4, 5, 3]]))) == 2.0


@pytest.mark.parametrize("r_drop_weight", [0.0, 2.0])
def test_the_loss_is_the_likelihood_and_the_weighted_penalty(r_drop_weight: float) -> None:
    model = build_model(ModelSection(width=8, dropout=0.0, coverage=True), V, V, joint=False).train()
    settings = PhaseSettings(coverage_weight=1.5, label_smoothing=0.1, r_drop_weight=r_drop_weight)
    result = Likelihood(settings, CPU).loss(model, BATCH, UpdateSize(5, 2), Moment(1, 0))
    forced = model.teacher_forced(BATCH.source, BATCH.target_in_BT)
    assert forced.attention_BTS is not None
    penalty = coverage_sum(forced.attention_BTS, BATCH.target_out_BT)
    expected = likelihood_sums(forced.logits_BTV, BATCH.target_out_BT, 0.1).objective + 1.5 * penalty
    assert torch.allclose(result.loss, expected / 5, rtol=1e-5)
    assert result.measures["coverage_loss"] == pytest.approx((float(penalty.detach()), 5.0))


def test_without_weight_the_attention_is_not_asked_for() -> None:
    model = build_model(ModelSection(width=8, dropout=0.0, coverage=True), V, V, joint=False).train()
    result = Likelihood(PhaseSettings(), CPU).loss(model, BATCH, UpdateSize(5, 2), Moment(1, 0))
    assert "coverage_loss" not in result.measures
