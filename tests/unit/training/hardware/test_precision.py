from __future__ import annotations

from typing import Any

import pytest
import torch

from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.errors import UserError
from seq2seq_core.training.hardware.precision import Placement, choose_placement


def choose(**runtime: Any) -> Placement:
    return choose_placement(RuntimeSection.model_validate(runtime))


@pytest.fixture
def _one_cuda_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_a_cpu_computes_in_float32(precision: str) -> None:
    placement = choose(device="cpu", precision=precision)
    assert placement == Placement(torch.device("cpu"), is_bfloat16=False)
    with placement.autocast():
        assert not torch.is_autocast_enabled("cpu")


def test_bfloat16_on_a_cpu_is_refused() -> None:
    message = r"^runtime\.precision: must be 'auto' or 'float32' on the device cpu, got 'bfloat16'$"
    with pytest.raises(UserError, match=message):
        choose(device="cpu", precision="bfloat16")


@pytest.mark.usefixtures("_one_cuda_device")
@pytest.mark.parametrize(("precision", "is_bfloat16"), [("auto", True), ("bfloat16", True), ("float32", False)])
def test_a_cuda_device_with_bfloat16_uses_it_unless_told_otherwise(precision: str, is_bfloat16: bool) -> None:
    assert choose(device="auto", precision=precision) == Placement(torch.device("cuda"), is_bfloat16)


@pytest.mark.usefixtures("_one_cuda_device")
def test_a_cuda_device_without_bfloat16_computes_in_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert choose(device="cuda:0") == Placement(torch.device("cuda:0"), is_bfloat16=False, is_float16=True)
    assert choose(device="cuda:0", precision="float32").product_dtype == torch.float32
    message = r"^runtime\.precision: must be 'auto' or 'float16' or 'float32' on the device cuda:0, got 'bfloat16'$"
    with pytest.raises(UserError, match=message):
        choose(device="cuda:0", precision="bfloat16")


def test_the_number_of_threads_is_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    choose(device="cpu", num_threads=0)
    choose(device="cpu", num_threads=3)
    assert asked == [3]
