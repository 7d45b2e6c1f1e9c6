"""The files of a Vocos network, as its authors publish them: ``config.yaml`` and the weights. Nothing in them is run."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from seq2seq_core.audio.mel import mel_filters
from seq2seq_core.audio.vocos.vocos_form import VocosForm
from seq2seq_core.audio.vocos.vocos_network import VocosNetwork
from seq2seq_core.config.section import describe_fault
from seq2seq_core.config.speech.speech_settings import VocoderSettings
from seq2seq_core.errors import UserError, first_line

SETTING = "evaluate.speech.vocoder"
CONFIG, WEIGHTS = "config.yaml", ("model.safetensors", "pytorch_model.bin")
FILTERS = "feature_extractor.mel_spec.mel_scale.fb"
"""Among the weights: the bands of the network's own front end."""
NOT_LEARNED = ("feature_extractor.", "head.istft.window")
"""Beginnings of the names of weights that the front end and the transform have instead."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _FrameArguments(_Part):
    sample_rate: int = 24000
    n_fft: int = 1024
    hop_length: int = 256
    n_mels: int = 100
    padding: Literal["center"] = "center"


class _BackboneArguments(_Part):
    input_channels: int
    dim: int
    intermediate_dim: int
    num_layers: int
    layer_scale_init_value: float | None = None
    adanorm_num_embeddings: None = None


class _HeadArguments(_Part):
    dim: int
    n_fft: int
    hop_length: int
    padding: Literal["center"]


class _Frames(_Part):
    class_path: Literal["vocos.feature_extractors.MelSpectrogramFeatures"]
    init_args: _FrameArguments = _FrameArguments()


class _Backbone(_Part):
    class_path: Literal["vocos.models.VocosBackbone"]
    init_args: _BackboneArguments


class _Head(_Part):
    class_path: Literal["vocos.heads.ISTFTHead"]
    init_args: _HeadArguments


class _Config(_Part):
    feature_extractor: _Frames
    backbone: _Backbone
    head: _Head


class VocosFolder:
    """The folder of a network.

    Args:
        settings: ``evaluate.speech.vocoder``, with a path.
        root: a relative path starts here.

    Raises:
        UserError: a file is missing or cannot be used, or the digest is not the expected one.

    Attributes:
        form: what the network reads, and its sizes.
        digest: SHA-256 over the names and contents of its two files.
    """

    def __init__(self, settings: VocoderSettings, root: Path) -> None:
        self.folder = root / settings.path
        if not self.folder.is_dir():
            raise UserError(
                f"{SETTING}.path: {self.folder}: no such folder; expected that of a Vocos network, with {CONFIG} and "
                f"{' or '.join(WEIGHTS)} (nothing is downloaded)"
            )
        found = [self.folder / name for name in WEIGHTS if (self.folder / name).is_file()]
        if not found or not (self.folder / CONFIG).is_file():
            raise UserError(f"{SETTING}.path: {self.folder}: expected {CONFIG} and {' or '.join(WEIGHTS)}, one of them is missing")
        self.weights_file = found[0]
        self.form = _read_form(self.folder / CONFIG)
        self.digest = _digest(self.folder / CONFIG, self.weights_file)
        if settings.digest not in ("", self.digest):
            raise UserError(f"{SETTING}.digest: the files of {self.folder} have {self.digest}, expected {settings.digest}")

    def load(self) -> VocosNetwork:
        """The network, in evaluation mode.

        Raises:
            UserError: the weights cannot be read, are not those of the form, are not finite, or their bands are others.
        """
        weights = self._read_weights()
        if (bands_KM := weights.get(FILTERS)) is not None:
            self._check_bands(bands_KM)
        own = {name: values for name, values in weights.items() if not name.startswith(NOT_LEARNED)}
        return build_network(self.form, own, self.weights_file)

    def _read_weights(self) -> Mapping[str, Tensor]:
        try:
            if self.weights_file.suffix == ".safetensors":
                return load_file(self.weights_file)
            found = torch.load(self.weights_file, map_location="cpu", weights_only=True)
        except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
            raise UserError(f"{self.weights_file}: not the weights of a network: {first_line(error)}") from None
        if not isinstance(found, dict) or not all(isinstance(values, Tensor) for values in found.values()):
            raise UserError(f"{self.weights_file}: expected tensors by name, got something else")
        return found

    def _check_bands(self, bands_KM: Tensor) -> None:
        form = self.form
        own_KM = mel_filters(form.num_mels, form.fft_size, form.sample_rate, 0.0, form.sample_rate / 2, "hertz")
        if bands_KM.shape != own_KM.shape or not np.allclose(bands_KM.numpy(), own_KM, atol=1e-4):
            raise UserError(f"{self.weights_file}: {FILTERS}: the network reads bands that tokenize.speech cannot make")


def build_network(form: VocosForm, weights: Mapping[str, Tensor], path: Path) -> VocosNetwork:
    """A network, in evaluation mode.

    Args:
        form: its sizes.
        weights: by name.
        path: their file, for messages.

    Raises:
        UserError: the weights are not those of the form, or are not finite.
    """
    with torch.device("meta"):  # draws no random numbers, which a training may go on to draw
        network = VocosNetwork(form)
    expected = {name: tuple(values.shape) for name, values in network.state_dict().items()}
    found = {name: tuple(values.shape) for name, values in weights.items()}
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            raise UserError(f"{path}: {name}: expected {_shape(expected.get(name))} by {CONFIG}, got {_shape(found.get(name))}")
        if not torch.isfinite(weights[name]).all():
            raise UserError(f"{path}: {name}: has values that are not finite numbers")
    network.load_state_dict({name: values.float() for name, values in weights.items()}, assign=True)
    return network.eval().requires_grad_(False)


def _shape(shape: tuple[int, ...] | None) -> str:
    return "no such weight" if shape is None else f"the shape {shape}"


def _read_form(path: Path) -> VocosForm:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        config = _Config.model_validate(content)
        frames, backbone, head = config.feature_extractor.init_args, config.backbone.init_args, config.head.init_args
        for name, one, other in (
            ("head.init_args.n_fft", head.n_fft, frames.n_fft),
            ("head.init_args.hop_length", head.hop_length, frames.hop_length),
            ("head.init_args.dim", head.dim, backbone.dim),
            ("backbone.init_args.input_channels", backbone.input_channels, frames.n_mels),
        ):
            if one != other:
                raise UserError(f"{path}: {name}: must be {other}, as in the other parts, got {one}")
        return VocosForm(
            sample_rate=frames.sample_rate,
            num_mels=frames.n_mels,
            fft_size=frames.n_fft,
            hop_samples=frames.hop_length,
            width=backbone.dim,
            inner_width=backbone.intermediate_dim,
            num_layers=backbone.num_layers,
        )
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a file of YAML: {first_line(error)}") from None
    except ValidationError as error:
        raise UserError(f"{path}: {describe_fault(error.errors()[0])}") from None


def _digest(*paths: Path) -> str:
    """As of a bundle: over names and contents."""
    found = hashlib.sha256()
    for path in sorted(paths):
        with path.open("rb") as file:
            found.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return found.hexdigest()
