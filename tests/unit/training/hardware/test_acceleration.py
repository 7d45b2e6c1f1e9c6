from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from seq2seq_core.batching.batch import collate_sources
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.modeling.encoders.transformer_encoder import TransformerEncoder, TransformerEncoderLayer
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.training.hardware.acceleration import accelerate, set_arithmetic

SOURCES = collate_sources([[5, 6, 7, 3], [4, 3]])
TARGETS_BT = torch.tensor([[2, 4, 5], [2, 6, 0]])


def make_model(dropout: float = 0.3, architecture: str = "transformer") -> Seq2Seq:
    section = ModelSection.model_validate(
        {"architecture": architecture, "width": 16, "heads": 4, "feedforward_width": 32, "encoder_layers": 2, "dropout": dropout}
    )
    return build_model(section, 9, 9, joint=False)


def first_layer(model: Seq2Seq) -> TransformerEncoderLayer:
    assert isinstance(model.encoder, TransformerEncoder)
    layer = model.encoder.layers[0]
    assert isinstance(layer, TransformerEncoderLayer)
    return layer


def gradients(model: Seq2Seq, seed: int = 1) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    return list(torch.autograd.grad(model(SOURCES, TARGETS_BT).square().sum(), list(model.parameters())))


@pytest.fixture
def arithmetic_put_back() -> Iterator[None]:
    yield
    set_arithmetic(RuntimeSection())


def test_layers_that_are_computed_again_give_the_same_gradients_bit_for_bit_with_dropout() -> None:
    model = make_model()
    kept = gradients(model)
    accelerate(model, RuntimeSection(activation_checkpointing=True))
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    first_layer(model).feed_forward.register_forward_hook(count)
    for mine, expected in zip(gradients(model), kept, strict=True):
        assert torch.equal(mine, expected)
    assert calls == 2


@pytest.mark.filterwarnings("ignore")  # of what the compiler does inside PyTorch
def test_compiled_layers_give_the_same_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(dropout=0.0)
    expected = gradients(model)
    # What is traced, without the minutes of a C++ compiler.
    monkeypatch.setattr(nn.Module, "compile", functools.partialmethod(nn.Module.compile, backend="eager"))
    accelerate(model, RuntimeSection(compile=True))
    assert first_layer(model)._compiled_call_impl is not None
    for mine, theirs in zip(gradients(model), expected, strict=True):
        torch.testing.assert_close(mine, theirs)
    assert list(model.state_dict()) == list(make_model().state_dict())


def test_recurrent_models_stay_as_they_are() -> None:
    model = make_model(architecture="gru")
    expected = gradients(model)
    accelerate(model, RuntimeSection(activation_checkpointing=True, compile=True))
    for mine, theirs in zip(gradients(model), expected, strict=True):
        assert torch.equal(mine, theirs)


def test_arithmetic_is_what_the_settings_say(arithmetic_put_back: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    set_arithmetic(RuntimeSection(tf32=True, deterministic=True))
    assert torch.get_float32_matmul_precision() == "high"
    assert torch.are_deterministic_algorithms_enabled()
    set_arithmetic(RuntimeSection())
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(("architecture", "packs"), [("transformer", True), ("gru", False)])
def test_models_are_packed_where_they_can_be(architecture: str, packs: bool) -> None:
    model = make_model(architecture=architecture)
    assert not model.packs
    accelerate(model, RuntimeSection(packing=True))
    assert model.packs is packs


def test_what_is_compiled_is_not_packed() -> None:
    with pytest.raises(ValidationError, match="packing must be false with compile, got true"):
        RuntimeSection(packing=True, compile=True)
