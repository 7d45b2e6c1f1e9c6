from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.batching.batch import collate_pairs
from seq2seq_core.modeling.decoders.transformer_decoder import TransformerDecoder
from seq2seq_core.modeling.encoders.transformer_encoder import TransformerEncoder
from seq2seq_core.modeling.layers.packing import Packing
from seq2seq_core.modeling.seq2seq import Seq2Seq
from tests.unit.modeling.test_seq2seq import make_model

LENGTHS = [3, 1, 4]
NUM_VALID = sum(LENGTHS)
BATCH = collate_pairs(
    [[5, 6, 7, 8, 3], [4, 3], [9, 4, 3]], [[4, 5, 3], [6, 7, 8, 9, 10, 3], [3]], [0, 1, 2]
)  # sources and targets of different lengths, longest in different rows
KINDS = (("pre", "sinusoidal"), ("post", "learned"), ("pre", "rotary"), ("pre", "relative"), ("post", "relative_sinusoidal"))
VARIANTS = [{"norm": norm, "positions": positions} for norm, positions in KINDS]


def make_packing(lengths: list[int]) -> Packing:
    return Packing.of(torch.arange(max(lengths)) >= torch.tensor(lengths).unsqueeze(1), sum(lengths))


def train_step(model: Seq2Seq) -> tuple[Tensor, list[Tensor]]:
    """The features at valid positions and the gradients of all weights but the output's."""
    packing = Packing.of(BATCH.target_padding_mask_BT, BATCH.num_target_tokens)
    features_ND = packing.pack(model.features(BATCH.source, BATCH.target_in_BT, packing)).squeeze(0)
    weights = [weight for name, weight in model.named_parameters() if not name.startswith("output.")]
    by_place_ND = torch.linspace(-1, 1, features_ND.numel()).view_as(features_ND)
    return features_ND.detach(), list(torch.autograd.grad((features_ND * by_place_ND).sum(), weights))


def test_valid_positions_come_one_after_another_and_go_back_to_their_places() -> None:
    packing, padded_BTD = make_packing(LENGTHS), torch.randn(3, 4, 2)
    packed_1ND = packing.pack(padded_BTD)
    assert torch.equal(packed_1ND[0], torch.cat([row[:length] for row, length in zip(padded_BTD, LENGTHS, strict=True)]))
    assert packing.positions_N.tolist() == [0, 1, 2, 0, 0, 1, 2, 3]
    assert packing.offsets_B1.tolist() == [0, 3, 4, 8]
    assert torch.equal(packing.unpack(packed_1ND), padded_BTD.masked_fill(packing.padding_mask_BT.unsqueeze(-1), 0.0))


def test_gradients_of_packing_and_unpacking_are_those_of_finite_differences() -> None:
    packing = make_packing(LENGTHS)
    assert torch.autograd.gradcheck(packing.pack, torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True))
    assert torch.autograd.gradcheck(packing.unpack, torch.randn(1, NUM_VALID, 2, dtype=torch.float64, requires_grad=True))


def test_heads_are_padded_and_packed_again() -> None:
    packing, heads_1HNK = make_packing(LENGTHS), torch.randn(1, 2, NUM_VALID, 3)
    padded_BHTK = packing.pad_heads(heads_1HNK)
    assert padded_BHTK.shape == (3, 2, 4, 3)
    assert torch.equal(padded_BHTK[2], heads_1HNK[0, :, 4:])
    assert torch.equal(packing.pack_heads(padded_BHTK), heads_1HNK)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")  # of the kernel that a CPU has for them
def test_nested_attention_is_that_of_each_row_by_itself() -> None:
    query_lengths = [2, 6, 1]
    queries, keys = make_packing(query_lengths), make_packing(LENGTHS)
    query_1HMK, keys_1HNK, values_1HNK = (torch.randn(1, 2, sum(row), 4) for row in (query_lengths, LENGTHS, LENGTHS))
    nested = functional.scaled_dot_product_attention(queries.nest(query_1HMK), keys.nest(keys_1HNK), keys.nest(values_1HNK))
    found_HMK = nested.transpose(1, 2).values().transpose(0, 1)
    alone = [
        functional.scaled_dot_product_attention(query_HTK, keys_HSK, values_HSK)
        for query_HTK, keys_HSK, values_HSK in zip(
            torch.split(query_1HMK[0], query_lengths, dim=1), torch.split(keys_1HNK[0], LENGTHS, dim=1),
            torch.split(values_1HNK[0], LENGTHS, dim=1),
            strict=True,
        )
    ]  # fmt: skip
    torch.testing.assert_close(found_HMK, torch.cat(alone, dim=1))


@pytest.mark.parametrize("settings", VARIANTS, ids=lambda settings: "-".join(settings.values()))
@pytest.mark.parametrize("recomputes", [False, True], ids=["kept", "recomputed"])
def test_a_packed_model_learns_what_the_padded_one_does(settings: dict[str, Any], recomputes: bool) -> None:
    model = make_model(architecture="transformer", dropout=0.0, **settings).train()
    features_ND, gradients = train_step(model)
    assert model.is_packable
    model.packs = True
    for side in (model.encoder, model.decoder):
        assert isinstance(side, TransformerEncoder | TransformerDecoder)
        side.recomputes = recomputes
    packed_features_ND, packed_gradients = train_step(model)
    torch.testing.assert_close(packed_features_ND, features_ND)
    for mine, theirs in zip(packed_gradients, gradients, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_no_layer_of_a_packed_model_sees_padding() -> None:
    model = make_model(architecture="transformer").train()
    model.packs, shapes = True, list[tuple[int, ...]]()
    for name, module in model.named_modules():
        if name.endswith("feed_forward"):
            module.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    features_ND, gradients = train_step(model)
    assert shapes == [(1, 10, 8)] * 4  # two layers of each side; sources and targets have 10 ids each
    assert all(bool(tensor.isfinite().all()) for tensor in (features_ND, *gradients))


def test_a_packed_model_is_padded_where_nothing_is_learned() -> None:
    model = make_model(architecture="transformer")
    expected_ND, _ = train_step(model)
    model.packs = True
    found_ND, _ = train_step(model)
    assert torch.equal(found_ND, expected_ND)


@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": "gru"},
        {"architecture": "transformer", "time_reduction": 1},
        {"architecture": "transformer", "pointer_generator": True},
        {"encoder": "transformer", "decoder": "lstm"},
        {"encoder": "gru", "decoder": "transformer"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_only_plain_transformers_are_packed(settings: dict[str, Any]) -> None:
    assert not make_model(**settings).is_packable
