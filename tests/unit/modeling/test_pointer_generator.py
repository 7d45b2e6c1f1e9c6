from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from seq2seq_core.config.model import Architecture
from seq2seq_core.modeling.decoders.pointer_generator import PointerGenerator
from tests.unit.modeling.test_seq2seq import V_TARGET, make_model, make_source, make_target

B, T, S, D, V = 2, 3, 4, 6, 9


@torch.no_grad()
def test_the_mixture_follows_the_written_out_formula() -> None:
    pointer = PointerGenerator(D)
    logits_BTV, features_BTD, embedded_BTD = torch.randn(B, T, V), torch.randn(B, T, D), torch.randn(B, T, D)
    attention_BTS = torch.softmax(torch.randn(B, T, S), dim=-1)
    source_ids_BS = torch.tensor([[4, 5, 4, 3], [6, 3, 0, 0]])
    attention_BTS[1, :, 2:] = 0.0
    mixed_BTV = pointer(logits_BTV, features_BTD, embedded_BTD, attention_BTS, source_ids_BS)
    for b in range(B):
        for t in range(T):
            inputs = [*features_BTD[b, t].tolist(), *embedded_BTD[b, t].tolist()]
            weights, bias = pointer.gate.weight[0].tolist(), float(pointer.gate.bias)
            gate = 1.0 / (1.0 + math.exp(-(sum(w * x for w, x in zip(weights, inputs, strict=True)) + bias)))
            total = sum(math.exp(float(value)) for value in logits_BTV[b, t])
            for v in range(V):
                copied = sum(float(attention_BTS[b, t, s]) for s in range(S) if int(source_ids_BS[b, s]) == v)
                expected = gate * math.exp(float(logits_BTV[b, t, v])) / total + (1.0 - gate) * copied
                assert math.exp(float(mixed_BTV[b, t, v])) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("architecture", get_args(Architecture))
@torch.no_grad()
def test_the_output_is_a_distribution(architecture: str) -> None:
    model, source = make_model(architecture=architecture, pointer_generator=True), make_source()
    log_probabilities_BTV = model(source, make_target())
    assert log_probabilities_BTV.shape[-1] == V_TARGET
    assert torch.allclose(log_probabilities_BTV.exp().sum(dim=-1), torch.ones(3, 5), atol=1e-5)


@torch.no_grad()
def test_a_closed_gate_copies_nothing_but_the_source() -> None:
    model, source = make_model(architecture="gru", pointer_generator=True), make_source()
    assert model.pointer_generator is not None
    model.pointer_generator.gate.weight.zero_()
    model.pointer_generator.gate.bias.fill_(-50.0)
    probabilities_BTV = model(source, make_target()).exp()
    for row, length in enumerate(source.lengths_B.tolist()):
        in_source = sorted(set(source.values[row, :length].tolist()))
        assert torch.allclose(probabilities_BTV[row][:, in_source].sum(dim=-1), torch.ones(5), atol=1e-5)


def test_gradients_are_finite_where_nothing_is_copied() -> None:
    model, source, target_in_BT = make_model(architecture="gru", pointer_generator=True), make_source(), make_target()
    model(source, target_in_BT)[:, :, 3].sum().backward()
    assert all(parameter.grad is None or bool(parameter.grad.isfinite().all()) for parameter in model.parameters())
