"""All sections, read from ``params.yaml``; all faults are reported at once."""

from __future__ import annotations

from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError, create_model, model_validator

from seq2seq_core.config.corpus import CorpusSection
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.config.frames.file_sources import augment_faults, ctc_faults, model_faults, source_faults
from seq2seq_core.config.metric_names import BLEU, LOSS
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.named.judge_checks import why_not_judged
from seq2seq_core.config.prepare import PrepareSection
from seq2seq_core.config.register import RegisterSection
from seq2seq_core.config.runtime import RuntimeSection
from seq2seq_core.config.section import Section, describe_fault
from seq2seq_core.config.serving.serve import ServeSection
from seq2seq_core.config.speech.speech_checks import why_not_speech
from seq2seq_core.config.tokenize import TokenizeSection
from seq2seq_core.config.train import TrainSection
from seq2seq_core.config.validate import ValidateSection
from seq2seq_core.config.yaml_text import YamlError, parse_yaml
from seq2seq_core.errors import ConfigError
from seq2seq_core.redaction.redactor import remember_settings
from seq2seq_core.stage_table import own_sections

SectionKind = TypeVar("SectionKind", bound=Section)


class Settings(Section):
    """The whole of ``params.yaml``."""

    corpus: CorpusSection
    """Which files hold the pairs."""
    validate_: ValidateSection = ValidateSection()
    """Data contracts; the section ``validate`` of the file."""
    prepare: PrepareSection = PrepareSection()
    """Cleaning, deduplication, splits."""
    tokenize: TokenizeSection = TokenizeSection()
    """Subword models."""
    model: ModelSection = ModelSection()
    """Architecture."""
    train: TrainSection = TrainSection()
    """Training."""
    evaluate: EvaluateSection = EvaluateSection()
    """Decoding and scores."""
    register_: RegisterSection
    """Registration and promotion; the section ``register`` of the file."""
    serve: ServeSection = ServeSection()
    """The server of ``s2s serve``."""
    runtime: RuntimeSection = RuntimeSection()
    """Settings that change no result."""

    @model_validator(mode="before")
    @classmethod
    def _rename_sections(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {_field_of(cls, str(name)): value for name, value in values.items()}

    def section_named(self, name: str) -> Section:
        """The section with a name.

        Args:
            name: its name in the parameters file.
        """
        section = getattr(self, _field_of(type(self), name))
        assert isinstance(section, Section)
        return section

    def section(self, kind: type[SectionKind]) -> SectionKind:
        """The section of a class, such as one that a stage declares.

        Args:
            kind: its class.
        """
        return next(section for _, section in self if isinstance(section, kind))

    def cautions(self) -> list[str]:
        """Warnings about valid settings that contradict each other, a line each: the BLEU of dev and that of the evaluation."""
        if BLEU not in self.evaluate.metrics:
            return []
        own = self.evaluate.bleu_tokenizer
        names = [f"train.phases.{number}" for number in range(len(self.train.phases))] or ["train"]
        return [
            f"{name}.dev_bleu_tokenizer: is {phase.dev_bleu_tokenizer!r}, but evaluate.bleu_tokenizer is {own!r}: the BLEU of dev "
            "cannot be compared with that of test"
            for name, phase in zip(names, self.train.all_phases(), strict=True)
            if phase.dev_metric == BLEU and phase.dev_bleu_tokenizer != own
        ]

    @model_validator(mode="after")
    def _sections_agree(self) -> Settings:
        if self.model.tie_embeddings == "all" and not self.tokenize.joint:
            raise ValueError("model.tie_embeddings: must be 'none' or 'target' unless tokenize.joint is true, got 'all'")
        if self.model.pointer_generator and not self.tokenize.joint:
            raise ValueError("model.pointer_generator: must be false unless tokenize.joint is true, got true")
        if self.model.alignment_copies and not self.tokenize.joint:
            raise ValueError("model.alignment_copies: must be false unless tokenize.joint is true, got true")
        self._check_time_scaling()
        self._check_monolingual()
        self._check_train()
        self._check_files()
        if reason := why_not_speech(self) or why_not_judged(self):
            raise ValueError(reason)
        kind, own_name, distill = self.corpus.source_kind, self.register_.model_name, self.prepare.distill
        if distill is not None and (reason := distill.why_not_beside(kind, own_name)):
            raise ValueError(reason)
        if self.prepare.augment.kinds() and kind != "text":
            raise ValueError(f"prepare.augment: must be off unless corpus.source_kind is 'text', got it with {kind!r}")
        scored, both = self.prepare.score_filter, self.corpus.both_directions
        if scored is not None and (reason := scored.why_not_beside(kind, own_name, both)):
            raise ValueError(reason)
        if self.register_.metric not in self.evaluate.metrics:
            raise ValueError(
                f"evaluate.metrics: must contain register.metric {self.register_.metric!r}, got {self.evaluate.metrics}"
            )
        return self

    def _check_time_scaling(self) -> None:
        """Rejects scaling of a source that the decoder never reads. Not the section's own check: models trained so still load."""
        model = self.model
        is_blind = model.decoder_architecture != "transformer" and model.attention == "none" and model.bridge == "last"
        is_blind &= model.alignment == "soft"
        if is_blind and model.time_scaling != "none":
            raise ValueError(
                "model.time_scaling: must be 'none' with attention 'none' unless bridge is 'mean' (the decoder starts from the "
                f"encoder's last states, which are not scaled, and reads nothing else), got {model.time_scaling!r}"
            )

    def _check_monolingual(self) -> None:
        """Rejects monolingual corpora whose languages one model could not tell apart, and phases without data."""
        corpus, tokenize = self.corpus, self.tokenize
        languages = {item.language for item in corpus.monolingual}
        if languages and not tokenize.joint:
            raise ValueError("tokenize.joint: must be true with corpus.monolingual, got false")
        if languages and not {"target_language"} <= set(tokenize.source_tags) <= {"source_language", "target_language"}:
            raise ValueError(
                "tokenize.source_tags: must be target_language, alone or with source_language, with corpus.monolingual, "
                f"got {tokenize.source_tags}"
            )
        if languages and tokenize.target_tags:
            raise ValueError(f"tokenize.target_tags: must be empty with corpus.monolingual, got {tokenize.target_tags}")
        for language in languages:
            if tokenize.tag_separator in language:
                raise ValueError(
                    f"tokenize.tag_separator: must not be part of a language of corpus.monolingual, got {tokenize.tag_separator!r}"
                )
        names = [f"train.phases.{number}" for number in range(len(self.train.phases))] or ["train"]
        for name, phase in zip(names, self.train.all_phases(), strict=True):
            if phase.reads_pairs and not corpus.files.train:
                raise ValueError(f"{name}: must not learn from pairs (objective {phase.objective!r}) without corpus.files.train")
            needed = {"denoising": 1, "back_translation": 2}.get(phase.objective, 0)
            if len(languages) < needed:
                raise ValueError(
                    f"corpus.monolingual: must have sentences of {needed} language(s) or more with {name}.objective "
                    f"{phase.objective!r}, got {len(languages)}"
                )

    def _check_files(self) -> None:
        """Rejects settings that do not go with the kind of the sources."""
        corpus, tokenize = self.corpus, self.tokenize
        faults = chain(
            source_faults(corpus, self.prepare, tokenize),
            model_faults(corpus, tokenize, self.model),
            augment_faults(corpus, self.train),
            ctc_faults(self.model, self.train, self.evaluate),
        )
        if fault := next(faults, None):
            raise ValueError(fault)

    def _check_train(self) -> None:
        """Rejects settings of phases that do not fit the other settings."""
        train = self.train
        sections = {"train": train} | {f"train.phases.{number}": phase for number, phase in enumerate(train.phases)}
        for name, section in sections.items():
            if section.dev_metric != LOSS and train.dev_sentences == 0:
                raise ValueError(f"train.dev_sentences: must be at least 1 with {name}.dev_metric {section.dev_metric!r}, got 0")
            if section.r_drop_weight and not self.model.dropout:
                raise ValueError(f"{name}.r_drop_weight: must be 0 unless model.dropout is above 0, got {section.r_drop_weight:g}")
            if section.sampling_temperature != 1.0 and not self.tokenize.group_columns:
                raise ValueError(
                    f"{name}.sampling_temperature: must be 1 unless tokenize.group_columns names a column, "
                    f"got {section.sampling_temperature:g}"
                )
            if section.ctc_weight and not self.model.ctc:
                raise ValueError(f"{name}.ctc_weight: must be 0 unless model.ctc is true, got {section.ctc_weight:g}")
            if section.coverage_weight and not self.model.coverage:
                raise ValueError(
                    f"{name}.coverage_weight: must be 0 unless model.coverage is true, got {section.coverage_weight:g}"
                )
            for side in ("source", "target") if section.subword_sampling.sides == "both" else (section.subword_sampling.sides,):
                self._check_subword_sampling(name, side)

    def _check_subword_sampling(self, name: str, side: str) -> None:
        """Rejects sampling from a subword model that has only one segmentation of a text."""
        if side == "none":
            return
        kept = "source" if self.tokenize.joint else side
        model = (self.tokenize.source if kept == "source" else self.tokenize.target).model
        if model not in ("unigram", "bpe"):
            raise ValueError(
                f"{name}.subword_sampling.sides: must leave out the {side} side unless tokenize.{kept}.model is "
                f"'unigram' or 'bpe', got it with {model!r}"
            )


def settings_class() -> type[Settings]:
    """:class:`Settings` with the sections that stages declare; see :attr:`~seq2seq_core.stage_table.Stage.own_section`."""
    return _with_sections(tuple(own_sections().items()))


@cache
def _with_sections(sections: tuple[tuple[str, Any], ...]) -> type[Settings]:
    """The class with some sections more: always the same one, so that equal settings compare as equal."""
    fields: dict[str, Any] = {name: (kind, kind()) for name, kind in sections}
    return create_model(Settings.__name__, __base__=Settings, **fields) if fields else Settings


def _field_of(settings: type[Settings], section: str) -> str:
    """The name of a section's field; names that pydantic's own methods take end with an underscore."""
    return f"{section}_" if f"{section}_" in settings.model_fields else section


def load_settings(path: Path) -> Settings:
    """The settings of a parameters file.

    Args:
        path: a YAML file with the sections of :class:`Settings`.

    Raises:
        ConfigError: the file is missing, not YAML, or has faults; all of them are listed.
    """
    return parse_settings(load_values(path), source=str(path))


def load_values(path: Path, expected: str = "the settings there (see configs/ for ready ones)") -> Any:
    """The content of a YAML file, not checked; its secrets are hidden in every later text, messages about faults included.

    Args:
        path: the YAML file.
        expected: what the file should hold, for the error if it is missing.

    Raises:
        ConfigError: the file is missing or not YAML.
    """
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError([f"file not found: {path}; expected {expected}"], str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"cannot be read: {error}"], str(path)) from None
    except YamlError as error:
        raise ConfigError([f"not valid YAML: {error}"], str(path)) from None
    remember_settings(values)
    return values


def read_setting(path: Path, name: str) -> Any:
    """A setting or a section of a parameters file, not checked: the file may have faults elsewhere.

    Args:
        path: the parameters file.
        name: the dotted name.

    Returns:
        Its value; None where the file lacks it.

    Raises:
        ConfigError: the file is missing or not YAML.
    """
    values = load_values(path)
    for part in name.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def parse_settings(values: object, source: str) -> Settings:
    """The settings from parsed YAML.

    Args:
        values: a mapping of section names to mappings.
        source: the origin of the values, for errors.

    Raises:
        ConfigError: with a line for every fault.
    """
    remember_settings(values)
    if values is None:
        raise ConfigError(["is empty; expected sections, such as those of a file in configs/"], source)
    if not isinstance(values, dict):
        raise ConfigError([f"must be a mapping of sections, got {type(values).__name__}"], source)
    try:
        return settings_class().model_validate(values)
    except ValidationError as error:
        raise ConfigError([describe_fault(detail) for detail in error.errors()], source) from None
