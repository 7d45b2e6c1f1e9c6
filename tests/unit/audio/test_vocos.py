"""A Vocos network reads its authors' files and frames; its sound is checked by formulas, and beside their package."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd
from seq2seq_core.audio.vocos.vocos_files import FILTERS, VocosFolder, build_network
from seq2seq_core.audio.vocos.vocos_form import VocosForm
from seq2seq_core.audio.vocos.vocos_network import VocosNetwork
from seq2seq_core.audio.vocos.vocos_vocoder import VocosVocoder
from seq2seq_core.config.speech.speech_settings import SpeechSettings, VocoderSettings
from seq2seq_core.errors import UserError
from tests.vocos_folder import FRAMES, config_of, write_vocos

FORM = VocosForm(sample_rate=24000, num_mels=100, fft_size=1024, hop_samples=256, width=32, inner_width=48, num_layers=2)
SETTINGS = SpeechSettings.model_validate(
    FRAMES | {"num_mels": 100, "window_ms": 42.66667, "hop_ms": 10.66667, "trim_db": 0.0, "loudness_db": 0.0}
)
FRONT_END = SpeechFrontEnd(sample_rate=24000, settings=SETTINGS)


def noise(samples: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A noise that grows louder, without its first part silent."""
    grown: np.ndarray[Any, np.dtype[np.float32]] = (
        np.random.default_rng(1).normal(size=samples) * np.linspace(0.0, 0.3, samples)
    ).astype(np.float32)
    return grown


def open_folder(folder: Path, digest: str = "") -> VocosFolder:
    return VocosFolder(VocoderSettings(name="vocos", path=str(folder), digest=digest), Path())


@pytest.mark.parametrize("samples", [6000, 6144, 700])
def test_frames_are_logarithms_of_magnitudes_in_bands_of_straight_sides_in_hertz(samples: int) -> None:
    sound = noise(samples)
    window = torch.hann_window(1024, dtype=torch.float64)
    spectrum = torch.stft(torch.from_numpy(sound).double(), 1024, 256, window=window, center=True, return_complex=True).abs()
    mels = np.linspace(0.0, 2595 * math.log10(1 + 12000 / 700), 102)
    corners = 700 * (10 ** (mels / 2595) - 1)
    hertz = np.linspace(0.0, 12000.0, 513)
    bands = np.stack([np.interp(hertz, corners[place : place + 3], [0.0, 1.0, 0.0]) for place in range(100)])
    expected = np.log(np.maximum(bands @ spectrum.numpy(), 1e-7)).T
    found = FRONT_END.energies(sound)
    assert found.shape == expected.shape
    assert len(found) == FRONT_END.log_mel.num_frames(samples)
    assert np.abs(found - expected).max() < 1e-5


def test_the_head_makes_a_wave_of_the_magnitude_and_phase_that_it_is_told(tmp_path: Path) -> None:
    write_vocos(tmp_path, FORM)
    network = open_folder(tmp_path).load()
    place, magnitude, phase = 40, 5.0, 0.7  # 40 cycles of a window are 10 of a hop: all windows agree
    with torch.no_grad():
        network.head.out.weight.zero_()
        network.head.out.bias[:513] = -40.0
        network.head.out.bias[513:] = phase
        network.head.out.bias[place] = math.log(magnitude)
    sound = VocosVocoder(network, "").sound(FRONT_END.energies(noise(6000)), FRONT_END.log_mel)
    frequency = 2 * np.pi * place / 1024
    wave = 2 * magnitude / 1024 * np.cos(frequency * (np.arange(23 * 256) + 512) + phase)
    assert sound.shape == wave.shape
    # Between the ends, four windows overlap, and they add up to 2, their squares to 3 / 2.
    assert np.abs(sound - wave * 4 / 3)[512:-512].max() < 1e-6


def test_equal_frames_are_equal_sound_within_the_full_scale_and_one_frame_has_some(tmp_path: Path) -> None:
    write_vocos(tmp_path / "one", FORM)
    write_vocos(tmp_path / "pickled", FORM, is_pickled=True)
    one, pickled = open_folder(tmp_path / "one"), open_folder(tmp_path / "pickled")
    state, energies = torch.get_rng_state(), FRONT_END.energies(noise(6000))
    sounds = [VocosVocoder(found.load(), found.digest).sound(energies, FRONT_END.log_mel) for found in (one, one, pickled)]
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(sounds[0], sounds[1])
    assert np.array_equal(sounds[0], sounds[2])
    network = one.load()
    with torch.no_grad():
        network.head.out.bias.add_(12.0)
    loud = VocosVocoder(network, one.digest)
    assert np.abs(loud.sound(energies, FRONT_END.log_mel)).max() == pytest.approx(1.0)
    assert loud.sound(energies[:1], FRONT_END.log_mel).shape == (256,)
    assert one.digest != pickled.digest
    assert open_folder(tmp_path / "one", one.digest).form == FORM


def changed(path: Path, part: str, **values: Any) -> None:
    """Writes other arguments of a part into ``config.yaml``."""
    content = config_of(FORM)
    content[part]["init_args"] |= values
    (path / "config.yaml").write_text(yaml.safe_dump(content))


def test_files_that_cannot_be_used_are_refused_with_the_reason(tmp_path: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(UserError, match=message):
            open_folder(tmp_path / "it").load()

    refused(r"^evaluate\.speech\.vocoder\.path: .*it: no such folder; expected that of a Vocos network")
    write_vocos(tmp_path / "it", FORM)
    with pytest.raises(UserError, match=r"^evaluate\.speech\.vocoder\.digest: the files of .* have [0-9a-f]{64}, expected 0000"):
        open_folder(tmp_path / "it", "0" * 64)
    for part, values, message in (
        ("feature_extractor", {"padding": "same"}, r"config\.yaml: feature_extractor\.init_args\.padding: must be one of 'center'"),
        ("feature_extractor", {"n_fft": 1000}, r"head\.init_args\.n_fft: must be 1000, as in the other parts, got 1024"),
        ("backbone", {"adanorm_num_embeddings": 4}, r"backbone\.init_args\.adanorm_num_embeddings: must be"),
        ("backbone", {"num_layers": 3}, r"backbone\.convnext\.2\.dwconv\.bias: expected the shape \(32,\) by config.yaml, got no"),
        ("backbone", {"intermediate_dim": 8}, r"pwconv1\.bias: expected the shape \(8,\) by config.yaml, got the shape \(48,\)"),
    ):
        changed(tmp_path / "it", part, **values)
        refused(message)
    content = config_of(FORM) | {"head": {"class_path": "os.system", "init_args": {}}}
    (tmp_path / "it/config.yaml").write_text(yaml.safe_dump(content))
    refused(r"config\.yaml: head\.class_path: must be one of 'vocos\.heads\.ISTFTHead', got 'os\.system'")
    (tmp_path / "it/config.yaml").write_text("a: [")
    refused("not a file of YAML")
    write_vocos(tmp_path / "it", FORM)
    (tmp_path / "it/model.safetensors").write_bytes(b"nonsense")
    refused("model.safetensors: not the weights of a network")
    (tmp_path / "it/model.safetensors").unlink()
    refused("one of them is missing")
    (tmp_path / "it/pytorch_model.bin").write_bytes(b"nonsense")
    refused("pytorch_model.bin: not the weights of a network")


def test_weights_that_no_front_end_of_ours_feeds_are_refused(tmp_path: Path) -> None:
    write_vocos(tmp_path, FORM, is_pickled=True)
    weights = torch.load(tmp_path / "pytorch_model.bin", weights_only=True)
    for bands, is_refused in ((FRONT_END.log_mel.filters_KM, False), (FRONT_END.log_mel.filters_KM * 2.0, True)):
        torch.save(weights | {FILTERS: torch.from_numpy(bands).float()}, tmp_path / "pytorch_model.bin")
        if is_refused:
            with pytest.raises(UserError, match=r"the network reads bands that tokenize\.speech cannot make"):
                open_folder(tmp_path).load()
        else:
            open_folder(tmp_path).load()
    weights["head.out.bias"][3] = math.nan
    with pytest.raises(UserError, match=r"head\.out\.bias: has values that are not finite numbers"):
        build_network(FORM, weights, tmp_path)


def test_settings_that_make_other_frames_are_named_with_those_that_fit() -> None:
    assert FORM.why_not(SETTINGS, 24000) == ""
    assert FORM.why_not(SETTINGS.model_copy(update={"high_hz": 12000.0}), 24000) == ""
    assert FORM.why_not(SpeechSettings(), 16000) == (
        "corpus.sample_rate 24000 (got 16000), tokenize.speech.num_mels 100 (got 80), tokenize.speech.window_ms 42.66667 (got 50), "
        "tokenize.speech.hop_ms 10.66667 (got 12.5), tokenize.speech.log_floor 1.0e-07 (got 1.0e-04), "
        "tokenize.speech.spectrum magnitude (got power), tokenize.speech.slopes hertz (got mel), "
        "tokenize.speech.padding center (got none)"
    )


def test_frames_and_sound_are_those_of_the_package_of_its_authors(tmp_path: Path) -> None:
    try:
        package = importlib.import_module("vocos")
        parts = [importlib.import_module(f"vocos.{name}") for name in ("feature_extractors", "models", "heads")]
    except (ImportError, OSError) as error:
        pytest.skip(f"the package vocos does not load here: {error}")
    features, models, heads = parts
    backbone = models.VocosBackbone(100, FORM.width, FORM.inner_width, FORM.num_layers)
    theirs = package.Vocos(features.MelSpectrogramFeatures(), backbone, heads.ISTFTHead(FORM.width, 1024, 256, "center")).eval()
    write_vocos(tmp_path, FORM)
    theirs.load_state_dict(VocosNetwork.state_dict(open_folder(tmp_path).load()), strict=False)
    (tmp_path / "model.safetensors").unlink()
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    found, sound = open_folder(tmp_path), noise(12345)
    energies = FRONT_END.energies(sound)
    assert np.abs(energies - theirs.feature_extractor(torch.from_numpy(sound)[None])[0].T.numpy()).max() < 1e-4
    spoken = VocosVocoder(found.load(), found.digest).sound(energies, FRONT_END.log_mel)
    expected = theirs.decode(torch.from_numpy(energies.T.copy())[None])[0].numpy()
    assert np.abs(spoken - expected / max(1.0, np.abs(expected).max())).max() < 1e-5
