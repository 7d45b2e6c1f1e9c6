from __future__ import annotations

import re

import pytest
import torch

from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.device import count_devices
from seq2seq_core.errors import UserError


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("values", "number"),
    [
        ({}, 4), ({"device": "cuda"}, 4), ({"device": "cuda:1"}, 1), ({"device": "cpu"}, 1), ({"devices": 3}, 3),
        ({"device": "cpu", "devices": 7}, 7), ({"device": "cuda:1", "devices": 1}, 1),
    ],
)  # fmt: skip
def test_every_gpu_is_used_unless_something_else_is_asked_for(values: dict[str, object], number: int) -> None:
    assert count_devices(RuntimeSection.model_validate(values)) == number


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"devices": 5}, "runtime.devices: must be 'auto' or at most 4, the number of GPUs that PyTorch sees, got 5"),
        (
            {"devices": 2, "device": "cuda:1"},
            "runtime.device: must be 'auto', 'cpu' or 'cuda' with runtime.devices 2, got 'cuda:1'",
        ),
    ],
)
def test_devices_that_are_not_there_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        count_devices(RuntimeSection.model_validate(values))


def test_without_a_gpu_a_training_is_one_process_unless_more_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert count_devices(RuntimeSection()) == 1
    assert count_devices(RuntimeSection(devices=2)) == 2
