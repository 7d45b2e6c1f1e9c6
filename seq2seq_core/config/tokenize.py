"""``tokenize``: subword models and vocabularies, and the frames of recordings and pictures."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from seq2seq_core.config.frames.picture_settings import ImageSettings
from seq2seq_core.config.section import Section
from seq2seq_core.config.speech.speech_settings import SpeechSettings

SubwordKind = Literal["unigram", "bpe", "char", "symbols"]
"""A subword model: Unigram (Kudo 2018), byte-pair encoding (Sennrich 2016), or single characters or symbols."""
FrameNormalization = Literal["none", "mean", "mean_variance"]
"""Normalisation of the frames of a recording."""


class SubwordSettings(Section):
    """The subword model of one side."""

    model: SubwordKind = "unigram"
    """``symbols`` takes the text as symbols separated by white space (phones, actions) and never splits one."""
    vocabulary_size: int = Field(default=8000, ge=8)
    """Number of entries, special ones included; an upper bound for ``char`` and ``symbols``. Lowered, with a warning, where the
    corpus cannot fill it."""
    character_coverage: float = Field(default=1.0, gt=0.0, le=1.0)
    """Share of the characters of train that the model covers; the rest is unknown."""
    byte_fallback: bool = False
    """Whether an uncovered character is spelt in bytes instead of becoming unknown (``unigram`` and ``bpe``)."""
    decompose: bool = False
    """Whether characters are first decomposed (Unicode's NFD: a Hangul syllable into its letters, an accented letter into the
    letter and its accent), in training and prediction; decoded text is composed again (NFC). A text that was not in NFC is not
    restored exactly."""
    training_texts: int = Field(default=2_000_000, ge=0)
    """Number of train texts, drawn with a fixed seed, to train the subword model on; 0: all. They are held in memory; ``unigram``
    needs about ten times their size on top."""

    @model_validator(mode="after")
    def _bytes_need_subwords(self) -> Self:
        if self.byte_fallback and self.model in ("char", "symbols"):
            raise ValueError(f"byte_fallback must be false with model {self.model!r}, got true")
        return self


class AudioSettings(Section):
    """How a recording becomes feature frames: log-mel energies, normalised, neighbouring frames side by side."""

    window_ms: float = Field(default=25.0, gt=0.0, le=1000.0)
    """Length of the (Hann) window of a spectrum, in milliseconds."""
    hop_ms: float = Field(default=10.0, gt=0.0, le=1000.0)
    """Distance from one window to the next, in milliseconds."""
    num_mels: int = Field(default=40, ge=1, le=512)
    """Bands, evenly spaced on the mel scale."""
    low_hz: float = Field(default=20.0, ge=0.0)
    """Lower edge of the first band, in hertz."""
    high_hz: float = Field(default=0.0, ge=0.0)
    """Upper edge of the last band, in hertz; 0: half of the sample rate."""
    log_floor: float = Field(default=1e-6, gt=0.0)
    """Lower bound of energies before the logarithm; the energies of a sine at full scale reach some thousands."""
    normalization: FrameNormalization = "mean_variance"
    """Normalisation of each band over a recording: none, to mean 0, or to mean 0 and variance 1."""
    stack_frames: int = Field(default=1, ge=1, le=64)
    """Neighbouring frames that are put side by side as one (Sak 2015)."""
    frame_stride: int = Field(default=1, ge=1, le=64)
    """One frame in this many is kept; above 1 the source is that many times shorter."""

    @model_validator(mode="after")
    def _bands_have_room(self) -> Self:
        if self.high_hz and self.low_hz >= self.high_hz:
            raise ValueError(f"low_hz must be below high_hz, got {self.low_hz:g} and {self.high_hz:g}")
        return self


class TokenizeSection(Section):
    """How text becomes ids, and recordings and pictures become frames."""

    vocabulary: str = ""
    """Whose vocabulary is kept: ``models:/NAME/VERSION`` of the registry, or the folder of a bundle; empty: train makes a new one.
    ``joint`` and the settings of the sides must be those of that model."""
    vocabulary_digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Digest that this model's bundle must have (64 digits), so that nothing else can take its place; empty: any. With it
    ``vocabulary`` may be an alias, ``models:/NAME@ALIAS``."""
    warn_uncovered_fraction: float = Field(default=0.005, ge=0.0, le=1.0)
    """Where a vocabulary is kept, the share of unknown symbols and bytes among the tokens of a side of a split above which
    ``tokenize`` warns."""
    max_uncovered_fraction: float = Field(default=0.02, ge=0.0, le=1.0)
    """Such a share of train or dev above which it stops. 1 accepts any."""
    joint: bool = False
    """One vocabulary for both sides, trained on both with the settings of ``source``."""
    source: SubwordSettings = SubwordSettings()
    """The source side's model (with ``joint``, both sides')."""
    target: SubwordSettings = SubwordSettings()
    """The target side's model; unused with ``joint``."""
    audio: AudioSettings | None = None
    """The frames of recordings; given where ``corpus.source_kind`` is ``audio``, in place of ``source``."""
    image: ImageSettings | None = None
    """The frames of pictures; given where ``corpus.source_kind`` is ``image``, in place of ``source``."""
    speech: SpeechSettings | None = None
    """The frames of recordings that are targets; given where ``corpus.target_kind`` is ``audio``, in place of ``target``."""
    source_tags: list[str] = []
    """Columns of the corpus whose values come before the source's ids, each as one symbol of its own (Johnson 2017). The symbols
    are those of train, on top of ``vocabulary_size``; an empty value has none."""
    target_tags: list[str] = []
    """Columns whose values are the first symbols of the target: the decoder starts from them, and they are no part of its text."""
    tag_separator: str = Field(default=";", min_length=1)
    """Separator of the values in a column that holds several, such as the features ``V;PST;3;SG``; each value has its own
    symbol."""
    unknown_tags: Literal["error", "ignore"] = "error"
    """Handling of a value that train does not have, in dev, in test and in later requests: an error, or no symbol."""
    group_columns: list[str] = []
    """Columns whose values together define a group of train, such as a pair of languages. ``train.sampling_temperature`` decides
    how often the pairs of each group are drawn. In dev the groups take turns, so that the sentences that training decodes are from
    every group."""
    max_source_tokens: int = Field(default=512, ge=1)
    """Train pairs with a longer source (its tags and end mark count; of a recording or picture, its frames) are dropped, and
    counted; dev and test keep theirs. See ``long_source``."""
    long_source: Literal["drop", "truncate", "truncate_start"] = "drop"
    """``truncate``: a source with more than ``max_source_tokens`` is cut there instead, in every split and in later requests; it
    suits documents whose beginning matters most. ``truncate_start`` keeps the end; it suits conversations. A recording is
    normalised before it is cut."""
    max_target_tokens: int = Field(default=512, ge=2)
    """Train pairs with a longer target (its end mark counts as one) are dropped, and counted; dev and test keep theirs."""
    max_unknown_target_fraction: float = Field(default=0.1, ge=0.0, le=1.0)
    """Largest share of unknown symbols among the target tokens of a split. More is an error, because no model writes what its
    vocabulary lacks. 1 accepts any."""

    @model_validator(mode="after")
    def _vocabulary_never_becomes_another(self) -> Self:
        if self.vocabulary_digest and not self.vocabulary:
            raise ValueError("vocabulary_digest must be empty without vocabulary, got one")
        if self.vocabulary.startswith("models:") and "@" in self.vocabulary and not self.vocabulary_digest:
            raise ValueError(
                "vocabulary must be a version such as models:/NAME/3, or be pinned by vocabulary_digest, because an alias comes to "
                f"mean other ids; got {self.vocabulary!r}"
            )
        return self

    @model_validator(mode="after")
    def _columns_are_named_once(self) -> Self:
        columns_by_name = {"source_tags": self.source_tags, "target_tags": self.target_tags, "group_columns": self.group_columns}
        for name, columns in columns_by_name.items():
            if len(set(columns)) != len(columns):
                raise ValueError(f"{name} must be different from one another, got {columns}")
            for column in columns:
                if not column or "=" in column or column in ("source", "target"):
                    raise ValueError(f"{name} must be names of columns other than source and target, without '=', got {column!r}")
        return self

    @model_validator(mode="after")
    def _a_source_fits(self) -> Self:
        if not self.reads_files and self.max_source_tokens <= len(self.source_tags) + 1:
            count = len(self.source_tags)
            beside = f"the end mark and {count} tag{'s' if count > 1 else ''} count" if count else "the end mark counts"
            raise ValueError(f"max_source_tokens must be at least {count + 2}: {beside}; got {self.max_source_tokens}")
        return self

    @model_validator(mode="after")
    def _target_is_default_when_joint(self) -> Self:
        if self.joint and self.target != SubwordSettings():
            raise ValueError("target must be left out when joint is true (source holds for both sides)")
        return self

    @model_validator(mode="after")
    def _files_have_no_vocabulary(self) -> Self:
        if self.audio is None and self.image is None:
            return self
        if self.audio is not None and self.image is not None:
            raise ValueError("image must be left out with audio: a corpus has sources of one kind")
        name, noun = ("audio", "recordings") if self.image is None else ("image", "pictures")
        if self.joint:
            raise ValueError(f"joint must be false with {name}: {noun} share no vocabulary; got true")
        if self.source_tags:
            raise ValueError(f"source_tags must be empty with {name} (target_tags need not be), got {self.source_tags}")
        if self.source != SubwordSettings():
            raise ValueError(f"source must be left out with {name}: {noun} have no subword model")
        return self

    @property
    def reads_files(self) -> bool:
        """Whether the sources are recordings or pictures."""
        return self.audio is not None or self.image is not None
