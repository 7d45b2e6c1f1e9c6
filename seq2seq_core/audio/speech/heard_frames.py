"""Frames that a model of speech writes, as a recogniser's front end would make them of the sound; with a gradient.

Nothing is made sound: where both front ends have the same spectra, the energies are the same, and only their normalisation differs.

Shapes: B batch, T written frames, S frames of the recogniser, M mel bands, K stacked frames, F features of a frame.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd
from seq2seq_core.config.speech.speech_settings import ADDED_TO_SPECTRA, SpeechSettings

SPECTRA = ("num_mels", "window_ms", "hop_ms", "low_hz")
"""What two front ends must have alike, besides the rate and the upper edge of the bands."""


def why_not_heard(written: SpeechFrontEnd, heard: FrontEnd) -> str:
    """Why the energies of two front ends are not the same; empty: they are.

    Args:
        written: of the model of speech.
        heard: of the recogniser.
    """
    pairs: dict[str, tuple[float, float]] = {"sample_rate": (written.sample_rate, heard.sample_rate)}
    pairs |= {name: (getattr(written.settings, name), getattr(heard.settings, name)) for name in SPECTRA}
    pairs["high_hz"] = (written.settings.high_hz or written.sample_rate / 2, heard.settings.high_hz or heard.sample_rate / 2)
    other = [f"{name} {theirs:g} (of the speech: {own:g})" for name, (own, theirs) in pairs.items() if own != theirs]
    for name in ADDED_TO_SPECTRA:
        default, own = SpeechSettings.model_fields[name].default, getattr(written.settings, name)
        other += [f"{name} {default} (of the speech: {own})"] if own != default else []
    return f"its recordings have {', '.join(other)}" if other else ""


def hear(frames_BTM: Tensor, lengths_B: Tensor, written: SpeechFrontEnd, heard: FrontEnd) -> tuple[Tensor, Tensor]:
    """The frames_BSF that a recogniser reads, zero at padding, and the lengths of the rows in them, int64.

    Args:
        frames_BTM: written frames, of which those at padding do not count.
        lengths_B: written frames of each row; at least one each.
        written: of the model of speech.
        heard: of the recogniser, with the same spectra (:func:`why_not_heard`).
    """
    mean_M, scale_M = (torch.tensor(values, device=frames_BTM.device) for values in (written.mean, written.scale))
    floor = torch.tensor(max(written.settings.log_floor, heard.settings.log_floor), device=frames_BTM.device).log()
    energies_BTM = torch.maximum(frames_BTM.float() * scale_M + mean_M, floor)
    is_valid_BT1 = (torch.arange(frames_BTM.shape[1], device=lengths_B.device) < lengths_B.unsqueeze(1)).unsqueeze(2)
    normalized_BTM = _normalize(energies_BTM, is_valid_BT1, lengths_B, heard.settings.normalization)
    return _stack(normalized_BTM, lengths_B, heard.settings.stack_frames, heard.settings.frame_stride)


def _normalize(energies_BTM: Tensor, is_valid_BT1: Tensor, lengths_B: Tensor, kind: str) -> Tensor:
    """Mean 0, and where asked for variance 1, in each band over the valid frames of a row."""
    if kind == "none":
        return energies_BTM
    number_B11 = lengths_B.view(-1, 1, 1)
    mean_B1M = (energies_BTM * is_valid_BT1).sum(dim=1, keepdim=True) / number_B11
    centred_BTM = energies_BTM - mean_B1M
    if kind == "mean":
        return centred_BTM
    variance_B1M = (centred_BTM.square() * is_valid_BT1).sum(dim=1, keepdim=True) / number_B11
    is_silent_B1M = variance_B1M < FrontEnd.smallest_deviation**2
    # The root of 0 has no gradient, so a silent band gets another variance before it.
    return centred_BTM / torch.where(is_silent_B1M, torch.ones_like(variance_B1M), variance_B1M).sqrt()


def _stack(frames_BTM: Tensor, lengths_B: Tensor, size: int, stride: int) -> tuple[Tensor, Tensor]:
    """See :func:`~seq2seq_core.audio.front_end.stack_frames`; of each row by itself."""
    lengths_after_B = torch.div(lengths_B + stride - 1, stride, rounding_mode="floor")
    starts_S = torch.arange(int(lengths_after_B.max()), device=lengths_B.device) * stride
    places_SK = starts_S.unsqueeze(1) + torch.arange(size, device=lengths_B.device)
    places_BSK = torch.minimum(places_SK.unsqueeze(0), (lengths_B - 1).view(-1, 1, 1))
    rows_B11 = torch.arange(len(lengths_B), device=lengths_B.device).view(-1, 1, 1)
    stacked_BSF = frames_BTM[rows_B11, places_BSK].flatten(2)
    is_valid_BS = starts_S < lengths_B.unsqueeze(1)
    return stacked_BSF * is_valid_BS.unsqueeze(2), lengths_after_B
