"""Parts of the settings about targets that are recordings: their frames, the decoder over frames, its loss, and the sound."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.section import Section

Spectrum = Literal["power", "magnitude"]
"""What a band sums up."""
Slopes = Literal["mel", "hertz"]
"""The scale on which the sides of a band are straight."""
Padding = Literal["none", "center"]
"""Samples that are added at both ends of a recording."""
ADDED_TO_SPECTRA = ("spectrum", "slopes", "padding")
"""Settings that no recogniser's spectra have; at their defaults spectra are what they were before there were these."""


class SpeechSettings(Section):
    """How a recording that is a target becomes frames: log-mel energies, of mean 0 and variance 1 in each band over train."""

    window_ms: float = Field(default=50.0, gt=0.0, le=1000.0)
    """Length of the (Hann) window of a spectrum, in milliseconds."""
    hop_ms: float = Field(default=12.5, gt=0.0, le=1000.0)
    """Distance from one window to the next, in milliseconds; at most half of ``window_ms``, or no sound can be made of frames."""
    num_mels: int = Field(default=80, ge=2, le=512)
    """Bands, evenly spaced on the mel scale."""
    low_hz: float = Field(default=0.0, ge=0.0)
    """Lower edge of the first band, in hertz."""
    high_hz: float = Field(default=0.0, ge=0.0)
    """Upper edge of the last band, in hertz; 0: half of the sample rate."""
    log_floor: float = Field(default=1e-4, gt=0.0)
    """Lower bound of energies before the logarithm; the energies of a sine at full scale reach some thousands."""
    spectrum: Spectrum = "power"
    """What a band sums up: the squared magnitudes of a spectrum, or the magnitudes. Neural vocoders read magnitudes."""
    slopes: Slopes = "mel"
    """The scale on which the sides of the triangular bands are straight: ``mel``, or ``hertz`` as in torchaudio."""
    padding: Padding = "none"
    """Samples at both ends: none, or half a window of mirrored ones, so that the first frame is centred on the first sample."""
    trim_db: float = Field(default=40.0, ge=0.0, le=200.0)
    """Silence at both ends is cut off: windows that are this many decibels below the loudest one. 0: nothing is cut off."""
    loudness_db: float = Field(default=-23.0, ge=-60.0, le=0.0)
    """Root mean square to which each recording is scaled, in decibels of full scale, unless a sample were clipped. 0: it stays."""

    @model_validator(mode="after")
    def _frames_can_be_sound_again(self) -> Self:
        if self.hop_ms > self.window_ms / 2:
            raise ValueError(f"hop_ms must be at most half of window_ms, got {self.hop_ms:g} and {self.window_ms:g}")
        if self.high_hz and self.low_hz >= self.high_hz:
            raise ValueError(f"low_hz must be below high_hz, got {self.low_hz:g} and {self.high_hz:g}")
        return self


class FrameDecoder(Section):
    """What the decoder of a model of speech has instead of target embeddings and the output projection (Shen 2018)."""

    frames_per_step: int = Field(default=2, ge=1, le=32)
    """Frames that each step of the decoder writes (the reduction factor of Wang 2017, section 3.3)."""
    pre_net_width: int = Field(default=128, ge=1, le=65_536)
    """Width of the two layers that the frame written last goes through on its way into the decoder."""
    pre_net_dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Probability of dropping an activation of these layers in training."""
    drops_in_decoding: bool = False
    """Whether decoding drops them too (Shen 2018, section 2.2): without it, models that were trained with much dropout may fall
    into silence, and not end. What is dropped depends on the number of the step alone, so that decoding stays deterministic."""
    frame_dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Probability of dropping the whole frame written last in training (Liu 2019), so that the decoder listens to the text."""
    post_net_layers: int = Field(default=3, ge=0, le=16)
    """Convolutions over the written frames, whose output is added to them; 0: none."""
    post_net_width: int = Field(default=128, ge=1, le=65_536)
    """Channels of these convolutions."""
    post_net_kernel: int = Field(default=5, ge=1, le=101)
    """Frames that each of them sees; odd."""
    stop_threshold: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Probability of the end from which on decoding stops."""

    @model_validator(mode="after")
    def _kernel_has_a_middle(self) -> Self:
        if self.post_net_kernel % 2 == 0:
            raise ValueError(f"post_net_kernel must be odd, got {self.post_net_kernel}")
        return self


class FrameLoss(Section):
    """The loss of frames; read by the objective ``frames``."""

    l1_weight: float = Field(default=1.0, ge=0.0)
    """Weight of the absolute differences, before and after the convolutions of ``model.frames``."""
    l2_weight: float = Field(default=1.0, ge=0.0)
    """Weight of the squared differences, likewise."""
    stop_weight: float = Field(default=1.0, gt=0.0)
    """Weight of the cross-entropy of the end, per step."""
    stop_positive_weight: float = Field(default=5.0, gt=0.0)
    """Weight of the one step of a target that is its end, against that of each other step."""
    guided_attention_weight: float = Field(default=1.0, ge=0.0)
    """Weight of the attention far from the diagonal (Tachibana 2018, section 4.1), per step; 0: the attention is free."""
    guided_attention_width: float = Field(default=0.2, gt=0.0)
    """How far from the diagonal attention costs little (g of Tachibana 2018, equation 5), as a share of the length."""

    @model_validator(mode="after")
    def _frames_count(self) -> Self:
        if not self.l1_weight + self.l2_weight:
            raise ValueError("l1_weight and l2_weight must not both be 0")
        return self


class VocoderSettings(Section):
    """What makes sound of frames."""

    name: Literal["griffin_lim", "vocos"] = "griffin_lim"
    """``griffin_lim``: the algorithm of Griffin and Lim (1984), by ``evaluate.speech.iterations``. ``vocos``: a network (Siuzdak
    2023) whose weights are on the disk; ``tokenize.speech`` must make the frames that it was trained on."""
    path: str = ""
    """Folder of a network, relative to the workspace: its ``config.yaml``, and ``model.safetensors`` or ``pytorch_model.bin``. The
    weights are copied into the bundle. Nothing is downloaded."""
    digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Digest that the network's files must have (64 digits); empty: any. A message says which one they have."""

    @model_validator(mode="after")
    def _only_a_network_has_files(self) -> Self:
        if self.name == "griffin_lim" and (self.path or self.digest):
            raise ValueError("path and digest must be left out with name 'griffin_lim', which has no weights")
        if self.name != "griffin_lim" and not self.path:
            raise ValueError(f"path must be the folder of its files where name is {self.name!r}, got nothing")
        return self


class SpeechEvaluation(Section):
    """How synthesised speech is made sound and judged; read where ``corpus.target_kind`` is ``audio``."""

    iterations: int = Field(default=60, ge=1, le=1000)
    """Iterations of Griffin and Lim (1984), which make sound of frames unless ``vocoder`` names a network. They become
    a part of the bundle."""
    vocoder: VocoderSettings = VocoderSettings()
    """What makes sound of frames. A network becomes a part of the bundle that is evaluated, registered and served."""
    read_back: str = ""
    """A recogniser that reads the synthesised words back: ``models:/NAME/VERSION`` of the registry, ``models:/NAME@ALIAS`` with
    ``read_back_digest``, or the folder of a bundle (relative to the workspace). Its word error rate is the metric ``wer``. Empty:
    nobody reads, and the metric is ``mel_distortion``."""
    read_back_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Digest that the recogniser's bundle must have (64 digits); empty: any."""
    examples: int = Field(default=6, ge=0, le=100)
    """Test rows whose sound, spectrogram and alignment go to MLflow."""

    @model_validator(mode="after")
    def _recogniser_never_becomes_another(self) -> Self:
        if self.read_back_digest and not self.read_back:
            raise ValueError("read_back_digest must be empty without read_back, got one")
        if self.read_back.startswith("models:") and "@" in self.read_back and not self.read_back_digest:
            raise ValueError(
                "read_back must be a version such as models:/NAME/3, or be pinned by read_back_digest, because an alias comes to "
                f"mean another recogniser; got {self.read_back!r}"
            )
        return self


TargetKind = Literal["text", "audio"]
"""Kind of the targets."""
