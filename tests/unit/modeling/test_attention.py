from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seq2seq_core.modeling.attention import ATTENTIONS, AdditiveAttention, Attention, DotAttention, GeneralAttention

B, T, S, D = 3, 2, 5, 4


def make_inputs() -> tuple[Tensor, Tensor, Tensor]:
    padding_mask_BS = torch.arange(S).unsqueeze(0) >= torch.tensor([5, 3, 1]).unsqueeze(1)
    return torch.randn(B, T, D), torch.randn(B, S, D), padding_mask_BS


def written_out_score(attention: Attention, query_D: Tensor, memory_D: Tensor) -> float:
    """One score by the formula of the paper, element by element."""
    if isinstance(attention, AdditiveAttention):
        w, u, b = attention.query_projection.weight, attention.key_projection.weight, attention.key_projection.bias
        v = attention.energy.weight[0]
        hidden = [math.tanh(sum(w[i, j] * query_D[j] + u[i, j] * memory_D[j] for j in range(D)) + b[i]) for i in range(D)]
        return float(sum(v[i] * hidden[i] for i in range(D)))
    if isinstance(attention, GeneralAttention):
        w = attention.key_projection.weight
        return float(sum(query_D[i] * w[i, j] * memory_D[j] for i in range(D) for j in range(D)))
    assert isinstance(attention, DotAttention)
    return float(sum(query_D[i] * memory_D[i] for i in range(D)))


@pytest.mark.parametrize("name", list(ATTENTIONS))
@torch.no_grad()
def test_weights_and_context_follow_the_written_out_formula(name: str) -> None:
    attention = ATTENTIONS[name](D)
    query_BTD, memory_BSD, padding_mask_BS = make_inputs()
    context_BTD, weights_BTS = attention(query_BTD, attention.keys(memory_BSD), memory_BSD, padding_mask_BS)
    for b in range(B):
        length = int((~padding_mask_BS[b]).sum())
        for t in range(T):
            exponentials = [math.exp(written_out_score(attention, query_BTD[b, t], memory_BSD[b, s])) for s in range(length)]
            weights = [value / sum(exponentials) for value in exponentials]
            assert weights_BTS[b, t, :length].tolist() == pytest.approx(weights, abs=1e-5)
            context = [sum(weights[s] * float(memory_BSD[b, s, d]) for s in range(length)) for d in range(D)]
            assert context_BTD[b, t].tolist() == pytest.approx(context, abs=1e-5)


@pytest.mark.parametrize("name", list(ATTENTIONS))
def test_padding_gets_no_weight_whatever_stands_there(name: str) -> None:
    attention = ATTENTIONS[name](D)
    query_BTD, memory_BSD, padding_mask_BS = make_inputs()
    disturbed_BSD = memory_BSD.masked_fill(padding_mask_BS.unsqueeze(-1), 1e4)
    context_BTD, weights_BTS = attention(query_BTD, attention.keys(memory_BSD), memory_BSD, padding_mask_BS)
    disturbed_BTD, disturbed_BTS = attention(query_BTD, attention.keys(disturbed_BSD), disturbed_BSD, padding_mask_BS)
    assert weights_BTS.masked_select(padding_mask_BS.unsqueeze(1).expand(B, T, S)).eq(0.0).all()
    assert torch.equal(weights_BTS, disturbed_BTS)
    assert torch.equal(context_BTD, disturbed_BTD)
