from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2seq_core.batching.batch import Batch, Source
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.train import PhaseSettings
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.training.hardware.precision import Placement
from seq2seq_core.training.objectives.label_smoothing import likelihood_sums
from seq2seq_core.training.objectives.likelihood import Likelihood
from seq2seq_core.training.objectives.objective import Moment, UpdateSize
from seq2seq_core.training.objectives.r_drop import symmetric_divergence

V = 9
CPU = Placement(torch.device("cpu"), is_bfloat16=False)
BATCH = Batch(
    source=Source(torch.tensor([[5, 6, 3], [7, 3, 0]]), torch.tensor([3, 2])),
    target_in_BT=torch.tensor([[2, 4, 5], [2, 7, 0]]),
    target_out_BT=torch.tensor([[4, 5, 3], [7, 3, 0]]),
    target_lengths_B=torch.tensor([3, 2]),
    num_target_tokens=5,
    indices=np.arange(2),
)


def test_the_divergence_equals_torchs_two_divergences_and_leaves_padding_out() -> None:
    first_BTV, second_BTV = torch.randn(2, 3, V), torch.randn(2, 3, V)
    p, q = first_BTV.log_softmax(-1), second_BTV.log_softmax(-1)
    both_BT = sum(torch.nn.functional.kl_div(a, b, log_target=True, reduction="none").sum(-1) for a, b in ((p, q), (q, p)))
    assert isinstance(both_BT, torch.Tensor)
    expected = 0.5 * both_BT[BATCH.target_out_BT > 0].sum()
    assert torch.allclose(symmetric_divergence(first_BTV, second_BTV, BATCH.target_out_BT), expected, rtol=1e-4)
    assert float(symmetric_divergence(first_BTV, first_BTV, BATCH.target_out_BT)) == 0.0


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_the_loss_equals_the_formula_over_two_passes_with_dropout(label_smoothing: float, fresh_seed: int) -> None:
    model = build_model(ModelSection(width=8, dropout=0.4), V, V, joint=False).train()
    settings = PhaseSettings(r_drop_weight=3.0, label_smoothing=label_smoothing)
    torch.manual_seed(fresh_seed)
    result = Likelihood(settings, CPU).loss(model, BATCH, UpdateSize(5, 2), Moment(1, 0))
    torch.manual_seed(fresh_seed)
    first_BTV, second_BTV = (model(BATCH.source, BATCH.target_in_BT) for _ in range(2))
    assert not torch.equal(first_BTV, second_BTV)
    sums = [likelihood_sums(logits_BTV, BATCH.target_out_BT, label_smoothing) for logits_BTV in (first_BTV, second_BTV)]
    p, q = first_BTV.softmax(-1), second_BTV.softmax(-1)
    divergence_BT = (p * (p / q).log()).sum(-1) + (q * (q / p).log()).sum(-1)
    divergence = divergence_BT[BATCH.target_out_BT > 0].sum()
    paper = sums[0].objective + sums[1].objective + 3.0 / 2 * divergence  # Liang 2021, equation 4
    assert torch.allclose(result.loss, paper / 2 / 5, rtol=1e-4)
    mean_nll = (sums[0].negative_log_likelihood + sums[1].negative_log_likelihood) / 2
    assert torch.allclose(result.negative_log_likelihood, mean_nll)
    total, count = result.measures["dropout_divergence"]
    assert total == pytest.approx(float(divergence.detach()) / 2, rel=1e-3)
    assert count == 5
