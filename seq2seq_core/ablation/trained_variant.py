"""One variant of the settings: its prepared corpus, its small models, and their outputs for the dev pairs.

What is done is kept, and counts only while it fits: damaged files, and outputs for other dev pairs, count as absent.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from seq2seq_core import atomic
from seq2seq_core.ablation.outside_models import STAGES, digest_outside_models
from seq2seq_core.ablation.small_settings import variant_settings
from seq2seq_core.artifacts import Paths
from seq2seq_core.code_digests.stage_digest import digest_stage
from seq2seq_core.config.settings import Settings
from seq2seq_core.corpus.pairs import SOURCE, iterate_pairs
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.reproducibility import digest
from seq2seq_core.serving.found_models import with_model_folders
from seq2seq_core.stage_table import find_stage
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.tokenization.manifest import file_digest

MOST_DEV_PAIRS = 2000
CORPUS_FILE = "corpus.json"


@dataclass(frozen=True)
class Variant:
    """The settings that some models are trained with.

    Attributes:
        title: for people.
        settings: of the trainings, but for their seed.
        paths: its workspace.
        corpus: digests of the splits that it is made of.
    """

    title: str
    settings: Settings
    paths: Paths
    corpus: Mapping[str, str]

    @classmethod
    def of(
        cls, title: str, values: Mapping[str, Any], changes: Mapping[str, Any], workspace: Paths, corpus: Mapping[str, str]
    ) -> Variant:
        """The variant with some settings changed.

        Args:
            title: for people.
            values: the sections of the small model.
            changes: values by dotted names.
            workspace: that of the user.
            corpus: digests of the splits.

        Raises:
            ConfigError: a value does not fit.
            UserError, BundleError, TrackingUnreachable: a model that it reads cannot be found.
        """
        settings = variant_settings(values, changes, title)
        runtime = settings.runtime.model_copy(update={"incremental": False})  # each variant is prepared once
        settings = settings.model_copy(update={"runtime": runtime})
        stages = {stage: digest_stage(find_stage(stage), settings) for stage in STAGES}
        key = digest({"corpus": dict(corpus), "models": digest_outside_models(settings, workspace), **stages})
        folder = Paths(workspace.ablation / key[:16])
        return cls(title, with_model_folders(settings, STAGES, workspace), folder, dict(corpus))

    @property
    def seed(self) -> int:
        """The seed of its first training."""
        return self.settings.train.seed

    @property
    def dev(self) -> Path:
        """The dev pairs that its settings keep."""
        return self.paths.root / "dev.jsonl"

    @property
    def dropped(self) -> dict[str, int]:
        """The rows of train that each rule dropped."""
        dropped: dict[str, int] = _read(self._prepared)["dropped"]
        return dropped

    @property
    def train_pairs(self) -> int:
        """The pairs of its train."""
        return int(_read(self._prepared)["train_pairs"])

    @property
    def _prepared(self) -> Path:
        return self.paths.root / "prepared.json"

    @property
    def _tokenized(self) -> Path:
        return self.paths.root / "tokenized.json"

    def prepare(self) -> None:
        """Prepares the corpus, unless that is done."""
        if not _read(self.paths.root / CORPUS_FILE):
            _write(self.paths.root / CORPUS_FILE, self.corpus)
        known = _read(self._prepared).get("dev")
        if known and self.dev.is_file() and file_digest(self.dev) == known:
            return
        run_prepare(self.settings, self.paths, NullRecorder())
        train = json.loads(self.paths.prepare_report.read_text(encoding="utf-8"))["train"]
        with atomic.new_file(self.dev) as file:
            shutil.copyfile(self.paths.prepared_split("dev"), file)
        self._tokenized.unlink(missing_ok=True)
        _write(self._prepared, {"dev": file_digest(self.dev), "dropped": train["dropped"], "train_pairs": train["rows_out"]})

    def tokenize(self, judge: Path) -> None:
        """Tokenises the corpus, unless that is done with the same dev pairs.

        Args:
            judge: the dev pairs that choose the best weights of every training.
        """
        known = {"dev": file_digest(judge)}
        if _read(self._tokenized) != known:
            self._tokenized.unlink(missing_ok=True)
            shutil.copyfile(judge, self.paths.prepared_split("dev"))
            self._take_files(judge)
            run_tokenize(self.settings, self.paths, NullRecorder())
            _write(self._tokenized, known)

    def _take_files(self, judge: Path) -> None:
        """Copies the recordings or pictures of dev pairs that these settings drop, if the sources are such files."""
        there, own = Paths(judge.parent).prepared_files, self.paths.prepared_files
        names = (pair[SOURCE] for pair in iterate_pairs(judge)) if self.settings.corpus.source_kind != "text" else ()
        for name in names:
            if not (own / name).exists():
                with atomic.new_file(own / name) as draft:
                    shutil.copyfile(there / name, draft)

    def outputs(self, number: int, judge: Path) -> list[str]:
        """The dev outputs of one training, which is run unless its outputs are there.

        Args:
            number: of the training, from 0.
            judge: the dev pairs that are decoded, in the folder of their variant, which has the files that their sources name.
        """
        file, pairs, known = self.paths.root / f"outputs-{number}.json", read_dev(judge), file_digest(judge)
        kept = _read(file)
        texts: list[str] = kept.get("texts", [])
        if kept.get("dev") == known and len(texts) == len(pairs):
            return texts
        train = self.settings.train.model_copy(update={"seed": self.seed + number})
        run_train(self.settings.model_copy(update={"train": train}), self.paths, NullRecorder())
        files = Paths(judge.parent).prepared_files
        predictor = Predictor.from_folder(self.paths.bundle, self.settings.runtime.device, files)
        options = predictor.options.override(beam_size=1)
        texts = [one.text for one in predictor.predict([pair[SOURCE] for pair in pairs], options, tags=pairs)]
        _write(file, {"dev": known, "texts": texts})
        return texts


def read_dev(path: Path) -> list[dict[str, str]]:
    """The dev pairs by which every model is judged: the first ones.

    Args:
        path: the prepared dev pairs.
    """
    return list(islice(iterate_pairs(path), MOST_DEV_PAIRS))


def remove_other_corpora(workspace: Paths, corpus: Mapping[str, str]) -> None:
    """Removes the variants of other corpora, of which there would be more with each corpus that grows.

    Args:
        workspace: that of the user.
        corpus: digests of the splits.
    """
    for folder in workspace.ablation.iterdir():
        if folder.is_dir() and _read(folder / CORPUS_FILE) != corpus:
            shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a record with its own digest, so that a damaged one is known."""
    atomic.write_text(path, json.dumps({"digest": digest(dict(content)), **content}, ensure_ascii=False))


def _read(path: Path) -> dict[str, Any]:
    """A record; empty where it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or content.pop("digest", None) != digest(content):
        return {}
    return content
