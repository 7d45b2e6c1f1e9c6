"""``config.json`` of a bundle: what it must say, within which ranges, and what must agree with what."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from seq2seq_core.audio.front_end import FrontEnd
from seq2seq_core.audio.speech.speech_front_end import SpeechFrontEnd
from seq2seq_core.bundle.stored_calibrator import StoredCalibrator
from seq2seq_core.bundle.stored_vocoder import StoredVocoder
from seq2seq_core.config.decoding_options import QUANTIZED_TYPES, ComputeType, DecodingOptions, offered_options
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.tokenize import SubwordKind
from seq2seq_core.dvc_files import how_to_make
from seq2seq_core.errors import BundleError
from seq2seq_core.modeling.front_ends.frame_layout import FrameLayout
from seq2seq_core.normal_form import AS_IT_IS, NormalForm
from seq2seq_core.pictures.picture_front_end import PictureFrontEnd
from seq2seq_core.tokenization.tags import TagColumns

FORMAT_VERSION = 1
CONFIG_FILE, WEIGHTS_FILE, SOURCE_FILE, TARGET_FILE = "config.json", "model.safetensors", "source.model", "target.model"
ENGINE_FILE = "ctranslate2.bin"
LEXICON_FILE = "lexicon.jsonl"
VOCODER_FILE = "vocoder.safetensors"
INITIAL_BUNDLE, JUDGE_BUNDLE = "initial_bundle", "judge_bundle"
"""Names, among the data digests, of the bundle that a training started from, and of those that judged in it."""
ADDED_BY_EXPORT = ("engine", "calibrator", "lexicon", "vocoder", "griffin_lim_iterations")
"""Fields that only a served bundle has, and not each."""
ABSENT_WHERE_OFF: dict[str, object] = {"num_source_tags": 0, "members": 1, "pictures": None, "speech": None}
ABSENT_SETTINGS_WHERE_OFF: dict[str, object] = {"front_end": None, "grid_positions": "none", "ctc": False, "frames": None}
ABSENT_FRAME_SETTINGS_WHERE_OFF: dict[str, object] = {"drops_in_decoding": False, "frame_dropout": 0.0}
"""Fields of the configuration, and settings of the model and of its frames, that a file leaves out where they are off, as earlier
bundles do."""
MAX_CONFIG_BYTES = 1 << 22
MAX_VOCABULARY = 1 << 24

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal digits."""


class BundleConfig(BaseModel):
    """The configuration of the model: enough to build it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelSection
    """The architecture."""
    source_vocabulary_size: int = Field(ge=0, le=MAX_VOCABULARY)
    """Number of source ids; 0 for a source of frames."""
    target_vocabulary_size: int = Field(ge=0, le=MAX_VOCABULARY)
    """Number of target ids; 0 for targets that are frames."""
    joint: bool
    """Whether both sides share one vocabulary."""
    frame_width: int = Field(default=0, ge=0, le=1 << 16)
    """Features of a source frame; 0: the sources are ids."""
    num_source_tags: int = Field(default=0, ge=0, le=MAX_VOCABULARY)
    """Source ids that are tags, behind the special ones, for a model that tells them apart; 0: it does not. Left out of the file in
    that case."""
    tags: TagColumns = TagColumns()
    """The columns whose values are symbols before the ids."""
    normal_form: NormalForm = AS_IT_IS
    """The normal form of the training texts, applied to every text: sources, targets that are scored or forced, tags."""
    max_source_tokens: int | None = Field(default=None, ge=1)
    """Length to which sources are cut, in tokens or frames, as in training; None: only the decoding options limit it."""
    keeps_source_end: bool = False
    """Whether a cut source keeps its end instead of its beginning."""
    members: int = Field(default=1, ge=1, le=32)
    """Models of the architecture that decode together. Left out of the file where there is one."""
    audio: FrontEnd | None = None
    """How recordings become frames; None if the sources are ids, pictures or frames of another origin."""
    pictures: PictureFrontEnd | None = None
    """How pictures become frames; None for other sources. Left out of the file in that case."""
    speech: SpeechFrontEnd | None = None
    """How frames become sound, where the targets are frames; None: they are ids. Left out of the file in that case."""

    @property
    def payload(self) -> tuple[str, ...]:
        """The names of the model's files beside ``config.json``."""
        if self.speech is not None:
            return (WEIGHTS_FILE, SOURCE_FILE)
        return (WEIGHTS_FILE, TARGET_FILE) if self.frame_width else (WEIGHTS_FILE, SOURCE_FILE, TARGET_FILE)

    @property
    def frame_layout(self) -> FrameLayout | None:
        """What the values of a frame are; None: the sources are ids."""
        if self.pictures is not None and self.pictures.settings.layout == "patches":
            image = self.pictures.settings
            return FrameLayout(image.patch, image.patch, image.channels, image.grid)
        if self.pictures is not None:
            return FrameLayout(self.pictures.settings.height, self.pictures.settings.columns)
        if self.audio is not None:
            return FrameLayout(self.audio.settings.num_mels, self.audio.settings.stack_frames)
        return FrameLayout(self.frame_width) if self.frame_width else None

    @property
    def grid_of_steps(self) -> tuple[int, int] | None:
        """Rows and columns that the encoder's vectors of a picture form; None: they form none."""
        layout, front_end = self.frame_layout, self.model.front_end
        if layout is None or layout.grid is None or self.model.time_reduction:
            return None
        return layout.grid if front_end is None else layout.reduced_grid(front_end.halvings)

    def count_steps(self, num_frames: int) -> int:
        """The vectors that the encoder makes of a source.

        Args:
            num_frames: its frames or ids.
        """
        layout, front_end = self.frame_layout, self.model.front_end
        steps = num_frames if layout is None or front_end is None else layout.steps(num_frames, front_end.halvings)
        for _ in range(self.model.time_reduction):
            steps = -(-steps // 2)
        return steps

    @property
    def tokenized_sides(self) -> list[str]:
        """The sides that have a subword model, sorted."""
        return ["source"] if self.speech is not None else ["target"] if self.frame_width else ["source", "target"]

    @model_validator(mode="after")
    def _targets_are_ids_or_frames(self) -> Self:
        if (self.speech is None) != bool(self.target_vocabulary_size):
            raise ValueError("target_vocabulary_size must be 0 where speech is given, and else at least 1")
        if (self.speech is None) != (self.model.frames is None):
            raise ValueError("model.frames must be given where speech is, and nowhere else")
        if self.speech is not None and (self.frame_width or self.joint or self.tags.target or not self.speech.mean):
            raise ValueError("speech must have a mean of train, and sources that are ids with tags of their own alone")
        return self

    @model_validator(mode="after")
    def _sides_agree(self) -> Self:
        shares = self.joint and not self.frame_width
        if shares and self.source_vocabulary_size != self.target_vocabulary_size:
            sizes = f"{self.source_vocabulary_size} and {self.target_vocabulary_size}"
            raise ValueError(f"source_vocabulary_size and target_vocabulary_size must be equal where joint is true, got {sizes}")
        if self.audio is not None and self.pictures is not None:
            raise ValueError("pictures must be left out with audio: sources are of one kind")
        for name, front_end in (("audio", self.audio), ("pictures", self.pictures)):
            if front_end is not None and front_end.frame_width != self.frame_width:
                raise ValueError(f"frame_width must be {front_end.frame_width}, as {name} makes the frames, got {self.frame_width}")
        if self.frame_width and self.tags.source:
            raise ValueError(f"tags.source must be empty for a source of frames, got {', '.join(self.tags.source)}")
        return self


class StoredEngine(BaseModel):
    """The engine that decodes with a served bundle, if it is another than PyTorch at float32.

    CTranslate2's converted weights are a file in the bundle. PyTorch makes its own of the bundle's weights, the same each time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["ctranslate2", "torch"]
    """The engine's name in the settings."""
    compute_type: ComputeType
    """The type of its weights."""

    @property
    def has_file(self) -> bool:
        """Whether its weights are a file in the bundle."""
        return self.name == "ctranslate2"

    @model_validator(mode="after")
    def _pytorch_has_the_type(self) -> Self:
        if self.name == "torch" and self.compute_type not in QUANTIZED_TYPES:
            raise ValueError(f"compute_type must be {' or '.join(QUANTIZED_TYPES)} with torch, got {self.compute_type}")
        return self


class BundleFile(BaseModel):
    """The whole of ``config.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = 1
    """Version of the folder's layout."""
    made_by: str = Field(max_length=100)
    """The version of this package that wrote it."""
    config: BundleConfig
    """The configuration of the model."""
    decoding: DecodingOptions | None = None
    """The decoding options of the export, the defaults of all its users; None: the defaults of the class."""
    trained_digest: Digest | None = None
    """Digest of the trained bundle that this one was exported from; None: it is not an export."""
    engine: StoredEngine | None = None
    """The engine that decodes with the bundle; None: the reference, PyTorch at float32. Left out of the file in that case."""
    calibrator: StoredCalibrator | None = None
    """Turns a decoded answer into its confidence; None: answers have none. Left out of the file in that case."""
    lexicon: Annotated[int, Field(ge=0)] | None = None
    """Entries of the lexicon, a file in the bundle; None: there is none. Left out of the file in that case."""
    vocoder: StoredVocoder | None = None
    """The network that makes sound of frames, with a file in the bundle; None: Griffin and Lim's algorithm does, where frames are
    targets. Left out of the file in that case."""
    griffin_lim_iterations: Annotated[int, Field(ge=1)] | None = None
    """Iterations of that algorithm; None: as many as :class:`~seq2seq_core.audio.speech.vocoder.GriffinLim` takes by itself. Left
    out of the file in that case."""
    tokenizers: dict[Literal["source", "target"], SubwordKind]
    """The kind of subword model of each side that has one."""
    data_digests: dict[str, Digest]
    """SHA-256 of the tokenised files that it was trained on, by name, and of the bundle that its training started from, if any."""
    digests: dict[str, Digest]
    """SHA-256 of the bundle's other files, by name."""

    @property
    def payload(self) -> tuple[str, ...]:
        """The names of the bundle's files beside ``config.json``, those that an export adds included."""
        is_there = {
            ENGINE_FILE: self.engine is not None and self.engine.has_file,
            LEXICON_FILE: self.lexicon is not None,
            VOCODER_FILE: self.vocoder is not None,
        }
        return (*self.config.payload, *(name for name, is_so in is_there.items() if is_so))

    @model_validator(mode="after")
    def _each_file_has_a_digest(self) -> Self:
        if set(self.digests) != set(self.payload):
            raise ValueError(f"digests must be of {', '.join(self.payload)}, got {', '.join(sorted(self.digests)) or 'none'}")
        for name in ADDED_BY_EXPORT:
            if getattr(self, name) is not None and self.trained_digest is None:
                raise ValueError(f"{name} must be left out of a bundle that is not an export")
        if self.vocoder is not None:
            speech = self.config.speech
            if speech is None or (reason := self.vocoder.form.why_not(speech.settings, speech.sample_rate)):
                raise ValueError(f"vocoder must read the frames of the model: {reason if speech else 'it writes none'}")
        if self.griffin_lim_iterations is not None and (self.config.speech is None or self.vocoder is not None):
            raise ValueError("griffin_lim_iterations must be left out where no frames are written, or a vocoder makes their sound")
        sides = self.config.tokenized_sides
        if sorted(self.tokenizers) != sides:
            raise ValueError(f"tokenizers must be of {', '.join(sides)}, got {', '.join(sorted(self.tokenizers)) or 'none'}")
        return self

    @model_validator(mode="after")
    def _an_evaluation_may_decode_so(self) -> Self:
        for option in offered_options() if self.decoding else ():
            if fault := option.range_fault(getattr(self.decoding, option.name)):
                raise ValueError(f"decoding.{option.name} {fault}")
        return self


def write_config(folder: Path, content: BundleFile) -> None:
    """Writes ``config.json`` of a bundle.

    Args:
        folder: the bundle's folder.
        content: the content of the file.
    """
    absent: dict[str, Any] = _that_are(dict.fromkeys(ADDED_BY_EXPORT), content)
    absent["config"] = _that_are(ABSENT_WHERE_OFF, content.config)
    absent["config"]["model"] = model = _that_are(ABSENT_SETTINGS_WHERE_OFF, content.config.model)
    if content.config.model.frames is not None:
        model["frames"] = _that_are(ABSENT_FRAME_SETTINGS_WHERE_OFF, content.config.model.frames)
    (folder / CONFIG_FILE).write_text(content.model_dump_json(indent=1, exclude=absent) + "\n", encoding="utf-8")


def _that_are(values: Mapping[str, object], content: BaseModel) -> dict[str, Any]:
    """The names of the fields that have these values, for ``exclude`` of pydantic."""
    return {name: True for name, value in values.items() if getattr(content, name) == value}


def read_config(folder: Path) -> BundleFile:
    """The content of ``config.json`` of a bundle.

    Args:
        folder: the bundle's folder.

    Raises:
        BundleError: the file is missing, too large or of another format, or a value in it is out of range.
    """
    path = folder / CONFIG_FILE
    try:
        content = read_plain_file(path, MAX_CONFIG_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise BundleError(f"{folder}: not a model bundle, it has no {CONFIG_FILE}; {how_to_make(folder, 'train')}") from None
    try:
        return BundleFile.model_validate_json(content)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'content'}: {fault['msg']}" for fault in error.errors()[:5])
        raise BundleError(f"{path}: expected a bundle of format version {FORMAT_VERSION}, but {faults}") from None


def read_plain_file(path: Path, max_bytes: int) -> bytes:
    """The content of a file of a bundle.

    Args:
        path: the file; not a link, a pipe or a device, which could lead anywhere or never end.
        max_bytes: its largest size.

    Raises:
        BundleError: it is not a plain file, or larger.
        OSError: it is missing or cannot be read.
    """
    # Without O_NONBLOCK, opening a pipe would wait for a writer.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        if path.is_symlink():
            raise BundleError(f"{path}: must be a plain file, got a symbolic link") from None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{path}: must be a plain file, got something else")
        if status.st_size > max_bytes:
            raise BundleError(f"{path}: must have at most {max_bytes:,} bytes, got {status.st_size:,}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(status.st_size)
    finally:
        os.close(descriptor)
