from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from seq2seq_core.tokenization.special_tokens import PAD_ID
from seq2seq_core.training.objectives import label_smoothing as smoothing_module
from seq2seq_core.training.objectives import projected_likelihood
from seq2seq_core.training.objectives.label_smoothing import likelihood_sums
from seq2seq_core.training.objectives.projected_likelihood import ProjectedLikelihood


@pytest.mark.parametrize("piece_numbers", [1, 30, 10_000])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.6])
def test_the_objective_and_its_gradient_equal_torchs_label_smoothed_cross_entropy(
    label_smoothing: float, piece_numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smoothing_module, "PIECE_NUMBERS", piece_numbers)
    logits_BTV = torch.randn(3, 5, 7, requires_grad=True)
    target_BT = torch.randint(1, 7, (3, 5))
    target_BT[0, 2:] = PAD_ID
    sums = likelihood_sums(logits_BTV, target_BT, label_smoothing)
    gradient_BTV = torch.autograd.grad(sums.objective, logits_BTV)[0]
    flat = (logits_BTV.flatten(0, 1), target_BT.flatten())
    expected = functional.cross_entropy(*flat, ignore_index=PAD_ID, label_smoothing=label_smoothing, reduction="sum")
    assert torch.allclose(sums.objective, expected, rtol=1e-5)
    assert torch.allclose(gradient_BTV, torch.autograd.grad(expected, logits_BTV)[0], atol=1e-5)


def test_the_reported_likelihood_has_no_smoothing_in_it() -> None:
    logits_BTV, target_BT = torch.randn(2, 4, 6), torch.tensor([[1, 2, 3, 0], [5, 4, 0, 0]])
    sums = likelihood_sums(logits_BTV, target_BT, 0.3)
    expected = functional.cross_entropy(logits_BTV.flatten(0, 1), target_BT.flatten(), ignore_index=PAD_ID, reduction="sum")
    assert torch.allclose(sums.negative_log_likelihood, expected, rtol=1e-5)
    assert not sums.negative_log_likelihood.requires_grad


def test_logits_in_bfloat16_are_summed_in_float32() -> None:
    logits_BTV, target_BT = torch.randn(2, 300, 50), torch.randint(1, 50, (2, 300))
    exact = likelihood_sums(logits_BTV.bfloat16().float(), target_BT, 0.1).objective
    assert torch.equal(likelihood_sums(logits_BTV.bfloat16(), target_BT, 0.1).objective, exact)


def test_the_gradient_is_scaled_by_what_the_sum_is_part_of() -> None:
    logits_BTV, target_BT = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True), torch.tensor([[1, 2, 0], [4, 4, 3]])
    plain, scaled = (
        torch.autograd.grad(factor * likelihood_sums(logits_BTV, target_BT, 0.2).objective, logits_BTV)[0] for factor in (1, -2.5)
    )
    torch.testing.assert_close(scaled, -2.5 * plain)


@pytest.mark.parametrize("piece_numbers", [1, 30, 10_000])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.6])
def test_projected_in_pieces_the_objective_and_its_gradients_equal_torchs_on_the_whole_logits(
    label_smoothing: float, piece_numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projected_likelihood, "PIECE_NUMBERS", piece_numbers)
    inputs = [torch.randn(shape, requires_grad=True) for shape in ((11, 4), (7, 4), (7,))]
    target_N = torch.randint(7, (11,))
    objective, likelihood = ProjectedLikelihood.apply(*inputs, target_N, label_smoothing, True)  # type: ignore[no-untyped-call]
    logits_NV = functional.linear(*inputs)
    expected = functional.cross_entropy(logits_NV, target_N, label_smoothing=label_smoothing, reduction="sum")
    torch.testing.assert_close(objective, expected)
    torch.testing.assert_close(likelihood, functional.cross_entropy(logits_NV, target_N, reduction="sum").detach())
    assert not likelihood.requires_grad
    gradients, by_torch = (torch.autograd.grad(-2.5 * one, inputs) for one in (objective, expected))
    for mine, theirs in zip(gradients, by_torch, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


def test_the_likelihood_of_a_symbol_that_is_all_but_impossible_is_exact() -> None:
    features_ND, weight_VD = torch.tensor([[1.0], [1.0]]), torch.tensor([[0.0], [-300.0], [2.0]])
    taken = (features_ND, weight_VD, torch.zeros(3), torch.tensor([1, 2]), 0.0, False)
    _, likelihood = ProjectedLikelihood.apply(*taken)  # type: ignore[no-untyped-call]
    expected = functional.cross_entropy(features_ND @ weight_VD.T, torch.tensor([1, 2]), reduction="sum")
    torch.testing.assert_close(likelihood, expected)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_projected_or_not_the_loss_and_its_gradients_are_the_same(label_smoothing: float) -> None:
    inputs = [torch.randn(shape, requires_grad=True) for shape in ((6, 4), (7, 4), (7,))]
    target_N = torch.randint(1, 7, (6,))
    projected = ProjectedLikelihood.apply(*inputs, target_N, label_smoothing, True)[0]  # type: ignore[no-untyped-call]
    plain = likelihood_sums(functional.linear(*inputs).unsqueeze(0), target_N.unsqueeze(0), label_smoothing).objective
    torch.testing.assert_close(projected, plain)
    for mine, other in zip(torch.autograd.grad(projected, inputs), torch.autograd.grad(plain, inputs), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)
