from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import nn
from torch.nn import functional

from seq2seq_core.modeling.decoders.transformer_decoder import TransformerDecoderLayer
from seq2seq_core.modeling.encoders.transformer_encoder import TransformerEncoder, TransformerEncoderLayer
from seq2seq_core.modeling.layers.feed_forward import FeedForward
from seq2seq_core.modeling.layers.multi_head_attention import MultiHeadAttention
from seq2seq_core.modeling.layers.positions import sinusoidal_positions
from seq2seq_core.modeling.layers.transformer_shape import TransformerShape

B, S, T, D, H, INNER = 3, 6, 5, 16, 4, 24
PADDING_MASK_BS = torch.arange(S) >= torch.tensor([6, 2, 4]).unsqueeze(1)


def copy_attention(mine: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    with torch.no_grad():
        for part, projection in enumerate((mine.query_projection, mine.key_projection, mine.value_projection)):
            projection.bias.normal_()
            theirs.in_proj_weight[part * D : (part + 1) * D] = projection.weight
            theirs.in_proj_bias[part * D : (part + 1) * D] = projection.bias
        theirs.out_proj.load_state_dict(mine.output_projection.state_dict())


def copy_norms(mine: Iterable[nn.LayerNorm], theirs: Iterable[nn.LayerNorm]) -> None:
    """Random ones, so that their order is seen."""
    with torch.no_grad():
        for my_norm, norm in zip(mine, theirs, strict=True):
            my_norm.weight.normal_()
            my_norm.bias.normal_()
            norm.load_state_dict(my_norm.state_dict())


def make_shape(is_pre_norm: bool) -> TransformerShape:
    return TransformerShape(D, H, INNER, is_pre_norm=is_pre_norm)


def test_multi_head_attention_equals_torchs_with_padding() -> None:
    mine, theirs = MultiHeadAttention(D, H, dropout=0.0).eval(), nn.MultiheadAttention(D, H, batch_first=True).eval()
    copy_attention(mine, theirs)
    query_BTD, memory_BSD = torch.randn(B, T, D), torch.randn(B, S, D)
    expected_BTD, expected_BTS = theirs(query_BTD, memory_BSD, memory_BSD, key_padding_mask=PADDING_MASK_BS)
    keys, values = mine.project(memory_BSD)
    assert torch.allclose(mine(query_BTD, keys, values, PADDING_MASK_BS), expected_BTD, atol=1e-5)
    attended_BTD, weights_BTS = mine.attend_with_weights(query_BTD, keys, values, PADDING_MASK_BS)
    assert torch.allclose(attended_BTD, expected_BTD, atol=1e-5)
    assert torch.allclose(weights_BTS, expected_BTS, atol=1e-5)


def test_causal_attention_equals_torchs_with_a_triangular_mask() -> None:
    mine, theirs = MultiHeadAttention(D, H, dropout=0.0).eval(), nn.MultiheadAttention(D, H, batch_first=True).eval()
    copy_attention(mine, theirs)
    inputs_BTD = torch.randn(B, T, D)
    is_hidden_TT = torch.ones(T, T, dtype=torch.bool).triu(1)
    expected_BTD, _ = theirs(inputs_BTD, inputs_BTD, inputs_BTD, attn_mask=is_hidden_TT)
    assert torch.allclose(mine(inputs_BTD, *mine.project(inputs_BTD), is_causal=True), expected_BTD, atol=1e-5)


@pytest.mark.parametrize("is_pre_norm", [True, False], ids=["pre_norm", "post_norm"])
def test_an_encoder_layer_equals_torchs(is_pre_norm: bool) -> None:
    mine = TransformerEncoderLayer(make_shape(is_pre_norm)).eval()
    theirs = nn.TransformerEncoderLayer(D, H, INNER, dropout=0.0, batch_first=True, norm_first=is_pre_norm).eval()
    copy_attention(mine.self_attention, theirs.self_attn)
    copy_norms((mine.self_attention_norm, mine.feed_forward_norm), (theirs.norm1, theirs.norm2))
    theirs.linear1.load_state_dict(mine.feed_forward.inner.state_dict())
    theirs.linear2.load_state_dict(mine.feed_forward.outer.state_dict())
    inputs_BSD = torch.randn(B, S, D)
    theirs.train()  # torch's fused inference path fills padding with zeros; without dropout the modes are otherwise the same
    expected_BSD = theirs(inputs_BSD, src_key_padding_mask=PADDING_MASK_BS)
    is_valid_BS1 = ~PADDING_MASK_BS.unsqueeze(-1)
    assert torch.allclose(mine(inputs_BSD, PADDING_MASK_BS) * is_valid_BS1, expected_BSD * is_valid_BS1, atol=1e-5)


@pytest.mark.parametrize("keep_weights", [False, True])
@pytest.mark.parametrize("is_pre_norm", [True, False], ids=["pre_norm", "post_norm"])
def test_a_decoder_layer_equals_torchs(is_pre_norm: bool, keep_weights: bool) -> None:
    mine = TransformerDecoderLayer(make_shape(is_pre_norm)).eval()
    theirs = nn.TransformerDecoderLayer(D, H, INNER, dropout=0.0, batch_first=True, norm_first=is_pre_norm).eval()
    copy_attention(mine.self_attention, theirs.self_attn)
    copy_attention(mine.cross_attention, theirs.multihead_attn)
    norms = (mine.self_attention_norm, mine.cross_attention_norm, mine.feed_forward_norm)
    copy_norms(norms, (theirs.norm1, theirs.norm2, theirs.norm3))
    theirs.linear1.load_state_dict(mine.feed_forward.inner.state_dict())
    theirs.linear2.load_state_dict(mine.feed_forward.outer.state_dict())
    inputs_BTD, memory_BSD = torch.randn(B, T, D), torch.randn(B, S, D)
    is_hidden_TT = torch.ones(T, T, dtype=torch.bool).triu(1)
    expected_BTD = theirs(inputs_BTD, memory_BSD, tgt_mask=is_hidden_TT, memory_key_padding_mask=PADDING_MASK_BS)
    outputs_BTD, weights_BTS = mine(inputs_BTD, mine.cross_attention.project(memory_BSD), PADDING_MASK_BS, keep_weights)
    assert torch.allclose(outputs_BTD, expected_BTD, atol=1e-5)
    assert (weights_BTS is not None) == keep_weights


def test_an_encoder_without_reduction_equals_torchs_stack() -> None:
    mine = TransformerEncoder(make_shape(True), layers=2).eval()
    theirs = nn.ModuleList(
        nn.TransformerEncoderLayer(D, H, INNER, dropout=0.0, batch_first=True, norm_first=True) for _ in range(2)
    )
    inputs_BSD = torch.randn(B, S, D)
    expected_BSD = inputs_BSD + sinusoidal_positions(S, D)
    for my_layer, layer in zip(mine.layers, theirs, strict=True):
        assert isinstance(my_layer, TransformerEncoderLayer)
        assert isinstance(layer, nn.TransformerEncoderLayer)
        copy_attention(my_layer.self_attention, layer.self_attn)
        layer.linear1.load_state_dict(my_layer.feed_forward.inner.state_dict())
        layer.linear2.load_state_dict(my_layer.feed_forward.outer.state_dict())
        expected_BSD = layer(expected_BSD, src_key_padding_mask=PADDING_MASK_BS)
    expected_BSD = functional.layer_norm(expected_BSD, (D,)).masked_fill(PADDING_MASK_BS.unsqueeze(-1), 0.0)
    assert torch.allclose(mine(inputs_BSD, PADDING_MASK_BS).values_BSD, expected_BSD, atol=1e-5)


NOTHING = 1e-9
"""A probability of dropout that has the ways with dropout taken and drops nothing (on a CPU it is a multiple of 1 / 256)."""


@pytest.mark.parametrize("is_rotary", [False, True])
@pytest.mark.parametrize(("padding_mask_BS", "is_causal"), [(None, False), (PADDING_MASK_BS, False), (None, True)])
def test_self_attention_in_training_equals_the_fused_attention_of_its_projections(
    padding_mask_BS: torch.Tensor | None, is_causal: bool, is_rotary: bool
) -> None:
    trained = MultiHeadAttention(D, H, dropout=NOTHING, is_rotary=is_rotary)
    evaluated = MultiHeadAttention(D, H, dropout=NOTHING, is_rotary=is_rotary).eval()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.normal_(std=0.3)
    evaluated.load_state_dict(trained.state_dict())
    inputs_BSD, direction_BSD = torch.randn(2, B, S, D)
    results = []
    for attention in (trained, evaluated):
        attended_BSD = attention.attend_self(inputs_BSD.requires_grad_(), padding_mask_BS, is_causal)
        gradients = torch.autograd.grad((attended_BSD * direction_BSD).sum(), [inputs_BSD, *attention.parameters()])
        results.append([attended_BSD, *gradients])
    for mine, expected in zip(*results, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-4)


def test_attention_over_a_memory_in_training_equals_that_in_evaluation() -> None:
    attention = MultiHeadAttention(D, H, dropout=NOTHING)
    query_BTD, memory_BSD = torch.randn(B, T, D), torch.randn(B, S, D)
    trained_BTD = attention(query_BTD, *attention.project(memory_BSD), PADDING_MASK_BS)
    attention.eval()
    torch.testing.assert_close(trained_BTD, attention(query_BTD, *attention.project(memory_BSD), PADDING_MASK_BS))


def test_attention_weights_are_dropped_in_training() -> None:
    attention = MultiHeadAttention(D, H, dropout=0.5)
    inputs_BTD = torch.randn(B, T, D)
    first_BTD, second_BTD = (attention.attend_self(inputs_BTD) for _ in range(2))
    assert not torch.allclose(first_BTD, second_BTD)


def test_the_feed_forward_sublayer_in_training_equals_its_formula() -> None:
    layer = FeedForward(D, INNER, NOTHING)
    inputs_BTD = torch.randn(B, T, D, requires_grad=True)
    expected_BTD = layer.outer(functional.relu(layer.inner(inputs_BTD)))
    outputs_BTD, direction_BTD = layer(inputs_BTD), torch.randn(B, T, D)
    torch.testing.assert_close(outputs_BTD, expected_BTD)
    wanted = [inputs_BTD, *layer.parameters()]
    gradients, expected = (torch.autograd.grad((one * direction_BTD).sum(), wanted) for one in (outputs_BTD, expected_BTD))
    for mine, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_the_feed_forward_sublayer_drops_inner_activations_and_passes_gradients_where_it_did_not() -> None:
    layer = FeedForward(1, 400, 0.25)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(1.0)
    inputs_11D = torch.ones(1, 1, 1, requires_grad=True)
    output = layer(inputs_11D).sum()
    kept = round(float((output.detach() - 1) / (2 / 0.75)))  # each inner activation is 2, and 2 / 0.75 where it is kept
    torch.testing.assert_close(output, torch.tensor(1 + kept * 2 / 0.75))
    assert 240 < kept < 360
    torch.testing.assert_close(torch.autograd.grad(output, inputs_11D)[0].sum(), torch.tensor(kept / 0.75), rtol=1e-5, atol=1e-3)
