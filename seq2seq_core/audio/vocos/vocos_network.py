"""The network of Vocos (Siuzdak 2023, section 3.3): frames to the magnitude and phase of each bin, and their inverse transform.

Its backbone is blocks of ConvNeXt (Liu 2022) in one dimension. Parameters have the names of the package ``vocos``, so that its
weights load as they are.

Shapes: N samples, T frames, M mel bands, D width, K bins of the spectrum.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seq2seq_core.audio.vocos.vocos_form import VocosForm

KERNEL = 7
"""Frames that each convolution sees."""
EPSILON = 1e-6
"""Of the normalisation of layers."""
MAX_MAGNITUDE = 100.0
"""Largest magnitude of a bin."""


class ConvNeXtBlock(nn.Module):
    """A convolution of each channel by itself, two layers over the channels, and the input added.

    Args:
        width: D.
        inner_width: between the two layers.
    """

    def __init__(self, width: int, inner_width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.pwconv1, self.pwconv2 = nn.Linear(width, inner_width), nn.Linear(inner_width, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, values_1DT: Tensor) -> Tensor:
        """Other values_1DT."""
        mixed_1TD = self.norm(self.dwconv(values_1DT).transpose(1, 2))
        changed_1TD = self.gamma * self.pwconv2(nn.functional.gelu(self.pwconv1(mixed_1TD)))
        sum_1DT: Tensor = values_1DT + changed_1TD.transpose(1, 2)
        return sum_1DT


class VocosBackbone(nn.Module):
    """Frames to vectors.

    Args:
        form: sizes.
    """

    def __init__(self, form: VocosForm) -> None:
        super().__init__()
        self.embed = nn.Conv1d(form.num_mels, form.width, KERNEL, padding=KERNEL // 2)
        self.norm = nn.LayerNorm(form.width, eps=EPSILON)
        self.convnext = nn.ModuleList(ConvNeXtBlock(form.width, form.inner_width) for _ in range(form.num_layers))
        self.final_layer_norm = nn.LayerNorm(form.width, eps=EPSILON)

    def forward(self, energies_1MT: Tensor) -> Tensor:
        """The vectors_1TD."""
        values_1DT = self.norm(self.embed(energies_1MT).transpose(1, 2)).transpose(1, 2)
        for block in self.convnext:
            values_1DT = block(values_1DT)
        vectors_1TD: Tensor = self.final_layer_norm(values_1DT.transpose(1, 2))
        return vectors_1TD


class SpectrumHead(nn.Module):
    """Vectors to sound: logarithm of the magnitude and phase of each bin, and the inverse short-time Fourier transform.

    Args:
        form: sizes.
    """

    def __init__(self, form: VocosForm) -> None:
        super().__init__()
        self.form = form
        self.out = nn.Linear(form.width, form.fft_size + 2)

    def forward(self, vectors_1TD: Tensor) -> Tensor:
        """The samples_1N: a hop for each frame but one, whose window is centred on the first sample."""
        magnitude_1KT, phase_1KT = self.out(vectors_1TD).transpose(1, 2).chunk(2, dim=1)
        spectrum_1KT = torch.polar(magnitude_1KT.exp().clamp(max=MAX_MAGNITUDE), phase_1KT)
        window = torch.hann_window(self.form.fft_size, device=vectors_1TD.device)
        return torch.istft(spectrum_1KT, self.form.fft_size, self.form.hop_samples, window=window, center=True)


class VocosNetwork(nn.Module):
    """Frames to sound.

    Args:
        form: sizes.
    """

    def __init__(self, form: VocosForm) -> None:
        super().__init__()
        self.backbone, self.head = VocosBackbone(form), SpectrumHead(form)

    def forward(self, energies_1MT: Tensor) -> Tensor:
        """The samples_1N.

        Args:
            energies_1MT: natural logarithms of magnitudes; at least two frames.
        """
        samples_1N: Tensor = self.head(self.backbone(energies_1MT))
        return samples_1N
