"""The model bundle: one folder with everything that turns sources into text, and the digests of its inputs. No pickle.

``config.json``, ``model.safetensors``, ``target.model``, and ``source.model`` unless the sources are frames.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import seq2seq_core
from seq2seq_core import atomic
from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd
from seq2seq_core.audio.speech.vocoder import GriffinLim, Vocoder
from seq2seq_core.bundle.bundle_folder import check_files, check_names
from seq2seq_core.bundle.config_file import (
    CONFIG_FILE,
    ENGINE_FILE,
    SOURCE_FILE,
    TARGET_FILE,
    WEIGHTS_FILE,
    BundleConfig,
    BundleFile,
    StoredEngine,
    read_config,
    read_plain_file,
    write_config,
)
from seq2seq_core.bundle.lexicon_file import KnownTarget, Question, read_lexicon
from seq2seq_core.bundle.stored_calibrator import StoredCalibrator
from seq2seq_core.bundle.stored_weights import build_from, check_finite, check_header, load_weights, unique_tensors
from seq2seq_core.bundle.vocoder_file import read_vocoder
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.device import resolve_device
from seq2seq_core.errors import BundleError
from seq2seq_core.modeling.ensemble import AnyModel
from seq2seq_core.modeling.seq2seq import Seq2Seq
from seq2seq_core.tokenization.manifest import file_digest
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import Tags

MAX_ENGINE_BYTES = 1 << 40


@dataclass(frozen=True)
class EngineFile:
    """The converted weights of an engine, in a served bundle.

    Attributes:
        engine: the engine, and the type of the weights.
        path: the file.
        digest: its SHA-256.
    """

    engine: StoredEngine
    path: Path
    digest: str

    def read(self) -> bytes:
        """The content of the file, and of no other that took its place after the bundle was loaded.

        Raises:
            BundleError: the file is another one.
        """
        content = read_plain_file(self.path, MAX_ENGINE_BYTES)
        if (found := hashlib.sha256(content).hexdigest()) != self.digest:
            raise BundleError(f"{self.path}: damaged or exchanged: its SHA-256 is {found}, expected {self.digest}")
        return content


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    Attributes:
        model: in evaluation mode, on its device; several that decode as one where it is an ensemble.
        source_tokenizer: text to source ids; None where the sources are frames.
        target_model: target ids to text; None where the targets are frames.
        config: the configuration of the model.
        data_digests: SHA-256 of the tokenised files that it was trained on, by name.
        device: the device of the model.
        decoding: the default decoding options of all its users; None: it names none.
        engine: the engine that decodes; None: PyTorch, at float32.
        engine_file: its converted weights; None: it makes its own of the model's.
        calibrator: turns a decoded answer into its confidence; None: answers have none.
        lexicon: what train has for each question; None: there is no lexicon.
        vocoder: makes sound of the frames that a model of speech writes; other models have none.
    """

    model: AnyModel
    source_tokenizer: SubwordModel | None
    target_model: SubwordModel | None
    config: BundleConfig
    data_digests: dict[str, str]
    device: torch.device
    decoding: DecodingOptions | None = None
    engine: StoredEngine | None = None
    engine_file: EngineFile | None = None
    calibrator: StoredCalibrator | None = None
    lexicon: Mapping[Question, KnownTarget] | None = None
    vocoder: Vocoder | None = None

    @property
    def target_tokenizer(self) -> SubwordModel:
        """Target ids to text, where the targets are ids."""
        assert self.target_model is not None, "asked for only where the targets are ids"
        return self.target_model

    @property
    def only_model(self) -> Seq2Seq:
        """The model of a bundle that is no ensemble."""
        assert isinstance(self.model, Seq2Seq), "what needs one model refuses ensembles"
        return self.model

    @property
    def source_tags(self) -> Tags:
        """Turns the columns of a pair into the tag ids before its source."""
        tags = self.config.tags
        return Tags(tags.source, self.source_tokenizer, tags.separator, tags.unknown, self.config.normal_form)

    @property
    def target_tags(self) -> Tags:
        """Turns the columns of a pair into the tag ids that its target begins with."""
        tags = self.config.tags
        return Tags(tags.target, self.target_model, tags.separator, tags.unknown, self.config.normal_form)


def save_bundle(
    folder: Path,
    model: nn.Module,
    settings: BundleConfig,
    source_model: SubwordModel | None,
    target_model: SubwordModel | None,
    digests: Mapping[str, str],
) -> None:
    """Writes a bundle; the same bytes for the same weights and settings. An older one stays until the new one is complete.

    Args:
        folder: the output folder; replaced.
        model: built from ``settings``.
        settings: the configuration of the model.
        source_model: text to source ids; None where the sources are frames.
        target_model: target ids to text; None where the targets are frames.
        digests: SHA-256 of the tokenised files that it was trained on, by name.

    Raises:
        BundleError: a weight is not a finite number; nothing is written.
    """
    with atomic.new_folder(folder) as draft:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in unique_tensors(model).items()}
        check_finite(tensors, folder / WEIGHTS_FILE)
        save_file(tensors, draft / WEIGHTS_FILE)
        if source_model is not None:
            source_model.save(draft / SOURCE_FILE)
        if target_model is not None:
            target_model.save(draft / TARGET_FILE)
        readable = TARGET_FILE if target_model is not None else SOURCE_FILE
        shutil.copymode(draft / readable, draft / WEIGHTS_FILE)  # only the owner can read what safetensors writes
        content = BundleFile(
            made_by=seq2seq_core.__version__,
            config=settings,
            tokenizers={
                **({} if source_model is None else {"source": source_model.kind}),
                **({} if target_model is None else {"target": target_model.kind}),
            },
            data_digests=dict(sorted(digests.items())),
            digests={name: file_digest(draft / name) for name in settings.payload},
        )
        write_config(draft, content)


def load_bundle(folder: Path, device: torch.device | str = "cpu") -> Bundle:
    """The bundle in a folder, its files checked against their digests.

    Args:
        folder: what :func:`save_bundle` wrote.
        device: a device, or ``auto``.

    Raises:
        BundleError: a file is missing, surplus, changed or of another format, or the weights do not fit the settings or are not
            finite.
        UserError: there is no such device.
    """
    place = resolve_device(str(device))
    content, source_tokenizer, target_model, stored = _read(folder)
    config = content.config
    model = build_from(config)
    with torch.no_grad():
        for name, tensor in unique_tensors(model).items():
            tensor.copy_(stored[name])
    engine, file = content.engine, None
    if engine is not None and engine.has_file:
        file = EngineFile(engine, folder / ENGINE_FILE, content.digests[ENGINE_FILE])
    if isinstance(model, Seq2Seq) and target_model is not None:
        model.silent_ids = tuple(target_model.tag_ids)
    parts = (model.to(place).eval(), source_tokenizer, target_model, config, content.data_digests, place)
    lexicon = None if content.lexicon is None else read_lexicon(folder, config)
    return Bundle(*parts, content.decoding, engine, file, content.calibrator, lexicon, _find_vocoder(folder, content))


def _find_vocoder(folder: Path, content: BundleFile) -> Vocoder | None:
    """What makes sound of the frames of a bundle's model; None: it writes none."""
    if content.vocoder is not None:
        return read_vocoder(folder, content.vocoder)
    if content.config.speech is None:
        return None
    return GriffinLim() if content.griffin_lim_iterations is None else GriffinLim(content.griffin_lim_iterations)


def check_bundle(folder: Path) -> BundleFile:
    """Checks all that :func:`load_bundle` checks, and builds no model; returns the content of ``config.json``.

    Args:
        folder: the bundle's folder.

    Raises:
        BundleError: a file is missing, surplus, changed or of another format, or the weights do not fit the settings.
    """
    return _read(folder).content


class _Parts(NamedTuple):
    """What a bundle's files hold."""

    content: BundleFile
    source_tokenizer: SubwordModel | None
    target_model: SubwordModel | None
    weights: dict[str, Tensor]


def _read(folder: Path) -> _Parts:
    """The checked parts of a bundle; what is cheap to check comes first."""
    content = read_config(folder)
    config = content.config
    check_names(folder, content)
    check_header(folder, config)
    check_files(folder, content)
    if config.audio is not None:
        _check_bands(folder, config.audio)
    if config.speech is not None:
        _check_bands(folder, config.speech)
    source = None if config.frame_width else _load_tokenizer(folder / SOURCE_FILE, content, "source")
    target = None if config.speech is not None else _load_tokenizer(folder / TARGET_FILE, content, "target")
    return _Parts(content, source, target, load_weights(folder / WEIGHTS_FILE))


def _load_tokenizer(path: Path, content: BundleFile, side: Literal["source", "target"]) -> SubwordModel:
    """The subword model of one side."""
    tokenizer, config = SubwordModel.load(path), content.config
    size = config.source_vocabulary_size if side == "source" else config.target_vocabulary_size
    if tokenizer.vocabulary_size != size:
        raise BundleError(f"{path}: {tokenizer.vocabulary_size} entries, expected {size} by {CONFIG_FILE}")
    if tokenizer.kind != content.tokenizers[side]:
        raise BundleError(f"{path}: a model of kind {tokenizer.kind}, expected {content.tokenizers[side]} by {CONFIG_FILE}")
    return tokenizer


def _check_bands(folder: Path, audio: FrontEnd | SpeechFrontEnd) -> None:
    """Refuses a front end that cannot make a frame."""
    name = "audio" if isinstance(audio, FrontEnd) else "speech"
    try:
        _ = audio.log_mel
    except ValueError as error:
        raise BundleError(f"{folder / CONFIG_FILE}: config.{name}: {error}") from None
