"""Inputs of training: ``data/tokenized``, and the judges that phases ask."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from seq2seq_core.artifacts import MONOLINGUAL
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.named.judge import judges_asked
from seq2seq_core.errors import UserError
from seq2seq_core.tokenization.manifest import Manifest
from seq2seq_core.tokenization.subword import SubwordModel
from seq2seq_core.tokenization.tags import Tags
from seq2seq_core.training.objectives.monolingual_corpora import MonolingualCorpora

if TYPE_CHECKING:
    import torch

    from seq2seq_core.config.train import Phase, TrainSection
    from seq2seq_core.training.objectives.judged.opened_judge import OpenedJudge


class FoundJudge(NamedTuple):
    """A model that judges in training.

    Attributes:
        folder: of its bundle.
        digest: of the bundle.
    """

    folder: Path
    digest: str


NO_JUDGES: Mapping[tuple[str, str], FoundJudge] = MappingProxyType({})


@dataclass(frozen=True)
class TrainingInputs:
    """A tokenised corpus.

    Attributes:
        manifest: its sizes and digests.
        train: the pairs to learn from.
        dev: the pairs to validate on.
        references: texts of the first dev targets, one for each source that a validation decodes.
        source_tokenizer: goes into the bundle; None where the sources are frames.
        target_model: goes into the bundle, and turns decoded dev targets into text; None where the targets are frames.
        monolingual: sentences without translations; often none.
        judges: those that phases ask, by reference and digest; often none.
    """

    manifest: Manifest
    train: TokenizedDataset
    dev: TokenizedDataset
    references: list[str]
    source_tokenizer: SubwordModel | None
    target_model: SubwordModel | None
    monolingual: MonolingualCorpora
    judges: Mapping[tuple[str, str], FoundJudge] = field(default_factory=dict)

    def pin_judges(self, train: TrainSection) -> TrainSection:
        """The settings with the digest of each judge that is asked, so that keys made from settings depend on it.

        Args:
            train: the settings to complete.

        Raises:
            UserError: a judge has not been found.
        """
        phases = list(train.phases)
        for number, judge in judges_asked(train.phases):
            if (found := self.judges.get((judge.reader, judge.reader_digest))) is None:
                name = f"train.phases.{number}.judge.reader"
                raise UserError(f"{name}: {judge.reader} has to be found first, as the command `s2s train` does")
            pinned = judge.model_copy(update={"reader_digest": found.digest})
            phases[number] = phases[number].model_copy(update={"judge": pinned})
        return train.model_copy(update={"phases": phases})

    def open_judge(self, phase: Phase, device: torch.device | str) -> OpenedJudge | None:
        """The judge of a phase; None: it asks none.

        Args:
            phase: names it.
            device: of the training.

        Raises:
            BundleError: the bundle cannot be read.
        """
        section = phase.judge
        if section is None or not phase.asks_judge:
            return None
        from seq2seq_core.bundle.bundle import load_bundle  # here, because few phases name a judge
        from seq2seq_core.training.objectives.judged.opened_judge import OpenedJudge

        assert self.source_tokenizer is not None, "the settings see to it: a judge needs sources that are texts"
        bundle = load_bundle(self.judges[section.reader, section.reader_digest].folder, device)
        return OpenedJudge(bundle, self.source_tokenizer, self.manifest.target.speech, section)

    def check_judge(self, phase: Phase) -> None:
        """Refuses a judge that does not fit the model.

        Args:
            phase: names it, or none.

        Raises:
            BundleError: the bundle cannot be read.
            UserError: it reads or writes something else.
        """
        if (judge := self.open_judge(phase, "cpu")) is not None:
            _ = judge.of_frames() if judge.written else judge.of_texts()

    @property
    def target_tokenizer(self) -> SubwordModel:
        """The target's subword model, where the targets are ids."""
        assert self.target_model is not None, "asked for only where the targets are ids"
        return self.target_model

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file that shapes the weights, by name: all but those of test."""
        return {name: value for name, value in self.manifest.digests.items() if not name.startswith("test.")}

    def bundle_config(self, model: ModelSection) -> BundleConfig:
        """The model's settings together with the sizes that the corpus gives it."""
        return BundleConfig(
            model=model,
            source_vocabulary_size=self.manifest.source.vocabulary_size,
            target_vocabulary_size=self.manifest.target.vocabulary_size,
            joint=self.manifest.joint,
            num_source_tags=0 if model.tag_positions or self.source_tokenizer is None else len(self.source_tokenizer.tags),
            tags=self.manifest.tags,
            normal_form=self.manifest.normal_form,
            max_source_tokens=self.manifest.max_source_tokens,
            keeps_source_end=self.manifest.keeps_source_end,
            frame_width=self.train.num_features,
            audio=self.manifest.source.audio,
            pictures=self.manifest.source.pictures,
            speech=self.manifest.target.speech,
        )


def read_inputs(folder: Path, dev_sentences: int) -> TrainingInputs:
    """The tokenised corpus in a folder.

    Args:
        folder: ``data/tokenized``, the output of ``s2s tokenize``.
        dev_sentences: number of dev sources that a validation decodes.

    Raises:
        MissingInput: a file is missing.
        UserError: a file is truncated, or dev has no pairs, or train has neither pairs nor monolingual sentences.
    """
    manifest = Manifest.load(folder)
    train, dev = TokenizedDataset.open(folder, "train"), TokenizedDataset.open(folder, "dev")
    if not len(train) and not manifest.monolingual:
        raise UserError(f"{folder}: train has no pairs, expected at least one to learn from")
    if not len(dev):
        raise UserError(
            f"{folder}: dev has no pairs, expected at least one to validate on (corpus.files.dev, or prepare.dev_fraction above 0)"
        )
    if manifest.target.speech is not None:
        source = SubwordModel.load(folder / "source.model")
        nothing = MonolingualCorpora({}, Tags((), source), source)
        return TrainingInputs(manifest, train, dev, [], source, None, nothing)
    tokenizer, tags = SubwordModel.load(folder / "target.model"), manifest.tags
    monolingual = MonolingualCorpora(
        {language: TokenizedDataset.open_sentences(folder, f"{MONOLINGUAL}.{language}") for language in manifest.monolingual},
        Tags(tags.source if manifest.monolingual else (), tokenizer, tags.separator, tags.unknown, manifest.normal_form),
        tokenizer,
    )
    return TrainingInputs(
        manifest=manifest,
        train=train,
        dev=dev,
        references=read_references(folder, dev_sentences),
        source_tokenizer=None if train.num_features else SubwordModel.load(folder / "source.model"),
        target_model=tokenizer,
        monolingual=monolingual,
    )


def read_references(folder: Path, num_sentences: int) -> list[str]:
    """The texts of the first targets of dev.

    Args:
        folder: ``data/tokenized``; reads ``dev.jsonl``.
        num_sentences: maximum number of texts.
    """
    with (folder / "dev.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line)["target"] for line in islice(file, num_sentences)]
