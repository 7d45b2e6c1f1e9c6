"""Relative positions against the formula of the paper, and what they and shared layers promise."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seq2seq_core.batching.batch import Source
from seq2seq_core.modeling.decoders.transformer_decoder import TransformerDecoder
from seq2seq_core.modeling.encoders.transformer_encoder import TransformerEncoder
from seq2seq_core.modeling.layers.relative_attention import LearnedDistances, RelativeAttention, SinusoidalDistances
from tests.unit.modeling.test_seq2seq import make_model, make_source, make_target

B, T, D, H, LARGEST = 2, 7, 6, 2, 3


def make_attention(kind: str, max_distance: int = LARGEST) -> RelativeAttention:
    attention: RelativeAttention
    attention = SinusoidalDistances(D, H, 0.0) if kind == "sinusoidal" else LearnedDistances(D, H, 0.0, max_distance)
    if isinstance(attention, SinusoidalDistances):
        torch.nn.init.normal_(attention.content_bias_H1K)
        torch.nn.init.normal_(attention.distance_bias_H1K)
    return attention


def sinusoids(distance: int) -> Tensor:
    """Sines in even columns, cosines in odd ones (Vaswani 2017, section 3.5), of any distance."""
    angles = [distance / 10_000 ** (2 * (column // 2) / D) for column in range(D)]
    return torch.tensor([math.cos(angle) if column % 2 else math.sin(angle) for column, angle in enumerate(angles)])


def written_out(attention: RelativeAttention, inputs_TD: Tensor, is_causal: bool) -> Tensor:
    """The outputs of one row, one position and head at a time (Shaw 2018, equations 3 and 4; Dai 2019, section 3.3)."""
    width = D // H
    query_TD, key_TD, value_TD = (
        projection(inputs_TD) for projection in (attention.query_projection, attention.key_projection, attention.value_projection)
    )
    outputs_TD = torch.zeros_like(inputs_TD)
    for head in range(H):
        part = slice(head * width, (head + 1) * width)
        for i in range(len(inputs_TD)):
            seen = range(i + 1) if is_causal else range(len(inputs_TD))
            if isinstance(attention, SinusoidalDistances):
                content_K, distance_K = attention.content_bias_H1K[head, 0], attention.distance_bias_H1K[head, 0]
                values = [value_TD[j, part] for j in seen]
                scores = [
                    (query_TD[i, part] + content_K) @ key_TD[j, part]
                    + (query_TD[i, part] + distance_K) @ attention.distance_projection(sinusoids(i - j))[part]
                    for j in seen
                ]
            else:
                assert isinstance(attention, LearnedDistances)
                rows = [min(max(j - i, -LARGEST), LARGEST) + LARGEST for j in seen]
                values = [value_TD[j, part] + attention.distance_values_RK[row] for j, row in zip(seen, rows, strict=True)]
                keys = [key_TD[j, part] + attention.distance_keys_RK[row] for j, row in zip(seen, rows, strict=True)]
                scores = [query_TD[i, part] @ key_K for key_K in keys]
            scores_S = torch.stack(scores) / math.sqrt(width)
            outputs_TD[i, part] = torch.softmax(scores_S, dim=0) @ torch.stack(values)
    written_TD: Tensor = attention.output_projection(outputs_TD)
    return written_TD


@pytest.mark.parametrize("kind", ["learned", "sinusoidal"])
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("is_training", [False, True])
@torch.no_grad()
def test_the_attention_follows_the_formula(kind: str, is_causal: bool, is_training: bool) -> None:
    attention = make_attention(kind).train(is_training)
    inputs_BTD = torch.randn(B, T, D)
    attended_BTD = attention.attend_self(inputs_BTD, is_causal=is_causal)
    for row in range(B):
        assert torch.allclose(attended_BTD[row], written_out(attention, inputs_BTD[row], is_causal), atol=1e-5)


@pytest.mark.parametrize("kind", ["learned", "sinusoidal"])
@torch.no_grad()
def test_a_pattern_is_read_alike_wherever_it_stands(kind: str) -> None:
    attention = make_attention(kind, max_distance=T).eval()
    inputs_BTD = torch.randn(1, T, D)
    padded_BTD = torch.cat([torch.randn(1, 5, D), inputs_BTD], dim=1)
    is_hidden_BT = (torch.arange(T + 5) < 5).unsqueeze(0)
    found_BTD = attention.attend_self(padded_BTD, is_hidden_BT)[:, 5:]
    assert torch.allclose(found_BTD, attention.attend_self(inputs_BTD), atol=1e-5)


def test_shared_layers_are_one_layer_at_every_depth() -> None:
    shared, own = (make_model(architecture="transformer", share_layers=is_shared, dropout=0.0) for is_shared in (True, False))
    assert isinstance(shared.encoder, TransformerEncoder)
    assert isinstance(shared.decoder, TransformerDecoder)
    assert len(shared.encoder.layers) == len(shared.decoder.layers) == 1
    weights = shared.state_dict()
    own.load_state_dict({name: weights[name.replace(".layers.1.", ".layers.0.")] for name in own.state_dict()})
    source, target_in_BT = make_source(), make_target()
    logits_BTV = shared(source, target_in_BT)
    assert torch.allclose(logits_BTV, own(source, target_in_BT), atol=1e-6)
    logits_BTV[..., 4].sum().backward()
    own(source, target_in_BT)[..., 4].sum().backward()
    gradients = {name: parameter.grad for name, parameter in own.named_parameters()}
    for name, parameter in shared.named_parameters():
        expected = gradients[name]
        if ".layers.0." in name:
            other = gradients[name.replace(".layers.0.", ".layers.1.")]
            assert expected is not None
            assert other is not None
            expected = expected + other
        assert parameter.grad is not None
        assert expected is not None
        assert torch.allclose(parameter.grad, expected, atol=1e-5), name


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
@torch.no_grad()
def test_tags_have_a_type_and_no_position(positions: str) -> None:
    """Ids 4 to 6 are tags: their order means nothing, and what follows them stands where it would stand without them."""
    model = make_model(architecture="transformer", tag_positions=False, positions=positions, dropout=0.0)
    tag_positions = model.tag_positions
    assert tag_positions is not None
    ids_BS = torch.tensor([[4, 6, 8, 9, 3], [6, 4, 8, 9, 3]])
    found_BSD = tag_positions(torch.zeros(2, 5, 8), ids_BS)
    places_SD = tag_positions.positions(torch.zeros(1, 3, 8))[0]
    other_D, tag_D = tag_positions.types.weight
    assert torch.allclose(found_BSD[0], torch.cat([tag_D.repeat(2, 1), other_D + places_SD]), atol=1e-6)
    logits_BTV = model(Source(ids_BS, torch.tensor([5, 5])), torch.tensor([[2, 7], [2, 7]]))
    assert torch.allclose(logits_BTV[0], logits_BTV[1], atol=1e-5)
    with_positions = make_model(architecture="transformer", positions=positions, dropout=0.0)
    logits_BTV = with_positions(Source(ids_BS, torch.tensor([5, 5])), torch.tensor([[2, 7], [2, 7]]))
    assert not torch.allclose(logits_BTV[0], logits_BTV[1], atol=1e-3)
