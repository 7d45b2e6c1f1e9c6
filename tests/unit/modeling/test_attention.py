from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from seq2seq_core.config.model import AttentionKind, ModelSection
from seq2seq_core.modeling import attention as kinds_of_attention
from seq2seq_core.modeling.attention import load_attention
from seq2seq_core.modeling.attention.additive import AdditiveAttention
from seq2seq_core.modeling.attention.dot import DotAttention
from seq2seq_core.modeling.attention.general import GeneralAttention
from seq2seq_core.modeling.attention.multi_head import RecurrentMultiHeadAttention
from seq2seq_core.modeling.layers.attention import Attention
from seq2seq_core.named_modules import names_of

B, T, S, D, H = 3, 2, 5, 4, 2
KINDS: list[AttentionKind] = [kind for kind in get_args(AttentionKind) if kind != "none"]


def make_inputs() -> tuple[Tensor, Tensor, Tensor]:
    padding_mask_BS = torch.arange(S).unsqueeze(0) >= torch.tensor([5, 3, 1]).unsqueeze(1)
    return torch.randn(B, T, D), torch.randn(B, S, D), padding_mask_BS


def make_attention(kind: AttentionKind, coverage: bool = False) -> Attention:
    attention = load_attention(kind)
    assert attention is not None
    return attention.of(ModelSection(attention=kind, coverage=coverage, width=D, heads=H, dropout=0.0))


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


def test_each_kind_that_the_settings_name_is_a_module_and_each_module_is_a_kind() -> None:
    assert names_of(kinds_of_attention.__name__) == tuple(sorted(KINDS))


@pytest.mark.parametrize("kind", ["additive", "general", "dot"])
@torch.no_grad()
def test_weights_and_context_follow_the_written_out_formula(kind: AttentionKind) -> None:
    attention = make_attention(kind)
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


@pytest.mark.parametrize("kind", KINDS)
def test_padding_gets_no_weight_whatever_stands_there(kind: AttentionKind) -> None:
    attention = make_attention(kind)
    query_BTD, memory_BSD, padding_mask_BS = make_inputs()
    disturbed_BSD = memory_BSD.masked_fill(padding_mask_BS.unsqueeze(-1), 1e4)
    context_BTD, weights_BTS = attention(query_BTD, attention.keys(memory_BSD), memory_BSD, padding_mask_BS)
    disturbed_BTD, disturbed_BTS = attention(query_BTD, attention.keys(disturbed_BSD), disturbed_BSD, padding_mask_BS)
    assert weights_BTS.masked_select(padding_mask_BS.unsqueeze(1).expand(B, T, S)).eq(0.0).all()
    assert torch.equal(weights_BTS, disturbed_BTS)
    assert torch.equal(context_BTD, disturbed_BTD)


def test_no_attention_is_none() -> None:
    assert load_attention("none") is None


@torch.no_grad()
def test_coverage_moves_the_scores_by_the_written_out_formula() -> None:
    attention = make_attention("additive", coverage=True)
    assert isinstance(attention, AdditiveAttention)
    assert attention.coverage_projection is not None
    query_BTD, memory_BSD, _ = make_inputs()
    coverage_BTS = torch.rand(*query_BTD.shape[:2], S)
    scores_BTS = attention.scores(query_BTD, attention.keys(memory_BSD), coverage_BTS)
    w, u, bias = attention.query_projection.weight, attention.key_projection.weight, attention.key_projection.bias
    c, v = attention.coverage_projection.weight[:, 0], attention.energy.weight[0]
    for b, t, s in ((0, 0, 0), (1, 1, 3), (2, 0, 4)):
        hidden_D = torch.tanh(w @ query_BTD[b, t] + u @ memory_BSD[b, s] + c * coverage_BTS[b, t, s] + bias)
        assert float(scores_BTS[b, t, s]) == pytest.approx(float(v @ hidden_D), abs=1e-5)


@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_step_of_a_search_attends_as_teacher_forcing_does(kind: AttentionKind, coverage: bool) -> None:
    attention = make_attention(kind, coverage=coverage and kind == "additive").eval()
    query_BTD, memory_BSD, is_padding_BS = make_inputs()
    coverage_BTS = torch.rand(*query_BTD.shape[:2], S)
    inputs = (query_BTD, attention.keys(memory_BSD), memory_BSD, is_padding_BS, coverage_BTS)
    for of_step, of_teacher_forcing in zip(attention(*inputs, is_step=True), attention(*inputs), strict=True):
        torch.testing.assert_close(of_step, of_teacher_forcing, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_multi_head_attention_of_a_recurrent_decoder_equals_torchs() -> None:
    mine = make_attention("multi_head").eval()
    assert isinstance(mine, RecurrentMultiHeadAttention)
    theirs = nn.MultiheadAttention(D, H, batch_first=True).eval()
    heads = mine.multi_head
    for part, projection in enumerate((heads.query_projection, heads.key_projection, heads.value_projection)):
        theirs.in_proj_weight[part * D : (part + 1) * D] = projection.weight
        theirs.in_proj_bias[part * D : (part + 1) * D] = projection.bias
    theirs.out_proj.load_state_dict(heads.output_projection.state_dict())
    query_BTD, memory_BSD, padding_mask_BS = make_inputs()
    expected_BTD, expected_BTS = theirs(query_BTD, memory_BSD, memory_BSD, key_padding_mask=padding_mask_BS)
    context_BTD, weights_BTS = mine(query_BTD, mine.keys(memory_BSD), memory_BSD, padding_mask_BS)
    assert torch.allclose(context_BTD, expected_BTD, atol=1e-5)
    assert torch.allclose(weights_BTS, expected_BTS, atol=1e-5)
