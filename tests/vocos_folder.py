"""A small Vocos network with random weights, in the files that its authors publish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

from seq2seq_core.audio.vocos.vocos_form import VocosForm
from seq2seq_core.audio.vocos.vocos_network import VocosNetwork

FRAMES = {"low_hz": 0.0, "log_floor": 1e-7, "spectrum": "magnitude", "slopes": "hertz", "padding": "center"}
"""Settings of the frames that every such network reads."""


def config_of(form: VocosForm) -> dict[str, Any]:
    """The content of ``config.yaml``."""
    transform = {"n_fft": form.fft_size, "hop_length": form.hop_samples, "padding": "center"}
    sizes = {"dim": form.width, "intermediate_dim": form.inner_width, "num_layers": form.num_layers}
    parts = {
        "feature_extractor": (
            "vocos.feature_extractors.MelSpectrogramFeatures",
            {"sample_rate": form.sample_rate, "n_mels": form.num_mels, **transform},
        ),
        "backbone": ("vocos.models.VocosBackbone", {"input_channels": form.num_mels, **sizes}),
        "head": ("vocos.heads.ISTFTHead", {"dim": form.width, **transform}),
    }
    return {name: {"class_path": path, "init_args": arguments} for name, (path, arguments) in parts.items()}


def write_vocos(folder: Path, form: VocosForm, seed: int = 1, is_pickled: bool = False) -> None:
    """Writes ``config.yaml`` and the weights; the same bytes at each call.

    Args:
        folder: made where it is missing.
        form: of the network.
        seed: of its weights.
        is_pickled: whether they are in ``pytorch_model.bin``.
    """
    chance = torch.Generator().manual_seed(seed)
    shapes = {name: values.shape for name, values in VocosNetwork(form).state_dict().items()}
    weights = {name: 0.1 * torch.randn(shape, generator=chance) for name, shape in shapes.items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config_of(form)), encoding="utf-8")
    if is_pickled:
        torch.save(weights, folder / "pytorch_model.bin")
    else:
        save_file(weights, folder / "model.safetensors")
