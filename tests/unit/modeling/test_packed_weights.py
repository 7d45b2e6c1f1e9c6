from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from seq2seq_core.batching.batch import Source
from seq2seq_core.config.model import ModelSection
from seq2seq_core.modeling.layers.packed_weights import linear, pack
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq

pytestmark = pytest.mark.skipif(
    not torch.backends.cpu.get_cpu_capability().startswith("AVX"), reason="weights are packed on x86 with AVX alone"
)
WIDTH = 256


def make_packed_layer() -> nn.Linear:
    layer = nn.Linear(WIDTH, 4 * WIDTH).eval()
    pack(layer.weight)
    assert hasattr(layer.weight, "packed")
    return layer


@pytest.mark.parametrize("shape", [(1,), (5,), (64,), (3, 2, 7)])
@torch.no_grad()
def test_a_packed_product_is_the_plain_one(shape: tuple[int, ...]) -> None:
    layer, inputs = make_packed_layer(), torch.randn(*shape, WIDTH)
    torch.testing.assert_close(linear(inputs, layer.weight, layer.bias), layer(inputs), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(linear(inputs, layer.weight, None), functional.linear(inputs, layer.weight), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_packed_weight_is_what_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, inputs = make_packed_layer(), torch.randn(64, WIDTH)
    monkeypatch.setattr(functional, "linear", None)
    linear(inputs, layer.weight, layer.bias)
    with pytest.raises(TypeError):  # a single row: too little to gain
        linear(inputs[:1], layer.weight, layer.bias)


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer.weight.mul_(2.0),
        lambda layer: layer.load_state_dict({**layer.state_dict(), "weight": layer.weight + 1.0}),
        lambda layer: layer.double(),
    ],
)
@torch.no_grad()
def test_a_weight_that_changed_is_used_as_it_is_now(change: Any) -> None:
    layer = make_packed_layer()
    change(layer)
    inputs = torch.randn(64, WIDTH, dtype=layer.weight.dtype)
    assert torch.equal(linear(inputs, layer.weight, layer.bias), layer(inputs))


def test_a_gradient_reaches_a_packed_weight() -> None:
    layer = make_packed_layer()
    linear(torch.randn(64, WIDTH), layer.weight, layer.bias).sum().backward()  # type: ignore[no-untyped-call]
    assert layer.weight.grad is not None


def test_small_and_double_weights_stay_unpacked() -> None:
    for weight in (torch.randn(8, 8), torch.randn(1024, 1024, dtype=torch.float64), torch.randn(2**20)):
        pack(weight)
        assert not hasattr(weight, "packed")


@pytest.mark.parametrize("settings", [{"architecture": "transformer"}, {"architecture": "gru"}, {"architecture": "lstm"}])
@torch.no_grad()
def test_a_packed_model_gives_the_same_logits(settings: dict[str, Any]) -> None:
    section = ModelSection.model_validate(
        {"width": WIDTH, "encoder_layers": 1, "decoder_layers": 2, "tie_embeddings": "target"} | settings
    )
    plain: Seq2Seq = build_model(section, 50, 600, joint=False).eval()
    source = Source(torch.randint(4, 50, (20, 6)), torch.full((20,), 6))
    before = step_twice(plain, source)
    plain.pack_weights()
    packed = [name for name, weight in plain.named_parameters() if hasattr(weight, "packed")]
    assert "target_embedding.table.weight" in packed
    assert len(packed) > 3
    torch.testing.assert_close(step_twice(plain, source), before, atol=1e-4, rtol=1e-4)
    assert not torch.equal(step_twice(plain, source), before)  # rounding shows that another product was used


def step_twice(model: Seq2Seq, source: Source) -> torch.Tensor:
    state = model.initial_state(model.encode(source))
    for ids in (2, 7):
        output = model.step(torch.full((20,), ids), state)
        state = output.state
    return output.logits_NV
