"""A system of the quality table: trained through the stages by its settings, corpus and seed, and decoded on the test set."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measured.sittings import seconds_of_sittings, sitting
from seq2seq_core import atomic
from seq2seq_core.artifacts import Paths
from seq2seq_core.code_digests.stage_digest import digest_stage
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.evaluation.report import PREDICTIONS_FILE
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.reproducibility import digest
from seq2seq_core.stage_table import find_stage
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.stages.validate import run_validate
from seq2seq_core.sweep.dotted import put_setting

ROOT = Path(__file__).resolve().parents[2]
LANGUAGE = "target_language"
STAGES = tuple(map(find_stage, ("prepare", "tokenize", "train", "export", "evaluate")))
"""The stages whose code affects an outcome."""


@dataclass(frozen=True)
class System:
    """A corpus and the settings of a training.

    Attributes:
        name: the system's name and, by default, that of its folder.
        config: a ready settings file in ``configs/``.
        corpus: a corpus folder by name, or a function that makes one from all corpora.
        changes: settings that replace the file's, by dotted name.
        nbest: number of hypotheses to keep for each test source.
        workspace: name of another system's folder, whose training this one continues; empty for its own.
    """

    name: str
    config: str
    corpus: str | Callable[[Path, Path], None]
    changes: Mapping[str, Any] = field(default_factory=dict)
    nbest: int = 1
    workspace: str = ""

    def settings(self, corpora: Path, work: Path, seed: int) -> dict[str, Any]:
        """The settings as a parameters file holds them.

        Args:
            corpora: the folder of all corpora.
            work: the folder of all workspaces.
            seed: the seed of the training.
        """
        folder = work / self.name / "corpus" if callable(self.corpus) else corpora / self.corpus
        if callable(self.corpus):
            folder.mkdir(parents=True, exist_ok=True)
            self.corpus(corpora, folder)
        values: dict[str, Any] = yaml.safe_load((ROOT / "configs" / self.config).read_text(encoding="utf-8"))
        values["corpus"]["path"] = str(folder.resolve())
        for name, value in {**self.changes, "train.seed": seed}.items():
            put_setting(values, name, value)
        return values


@dataclass(frozen=True)
class Outcome:
    """A system's output on the test set.

    Attributes:
        sources: the source texts.
        references: the reference of each source, as in the corpus.
        hypotheses: the best hypothesis of each source, by the search of the settings.
        nbest: the hypotheses of each source, best first.
        languages: the target language of each row, empty where the corpus has none.
        seconds: training time in all sittings.
        parameters: number of weights of the model.
    """

    sources: list[str]
    references: list[str]
    hypotheses: list[str]
    nbest: list[list[str]]
    languages: list[str]
    seconds: float
    parameters: int


def run_system(system: System, seed: int, corpora: Path, work: Path, threads: int) -> Outcome:
    """Trains and decodes, or returns the stored outcome of the same settings and code; a stopped training resumes.

    Args:
        system: the system to train.
        seed: the seed of the training.
        corpora: the folder of all corpora.
        work: the folder of all workspaces.
        threads: number of PyTorch's threads.
    """
    values = system.settings(corpora, work, seed)
    paths = Paths(work / (system.workspace or system.name) / f"seed-{seed}")
    kept = paths.root / f"outcome-{system.name}.json"
    settings = parse_settings({**values, "runtime": {"num_threads": threads, "progress": "plain"}}, system.config)
    key = digest([values, system.nbest, [digest_stage(stage, settings) for stage in STAGES]])
    if kept.exists() and (found := json.loads(kept.read_text(encoding="utf-8")))["key"] == key:
        return Outcome(**found["outcome"])
    outcome = _train_and_decode(settings, paths, system.nbest, paths.root / f"seconds-{system.name}.json", digest(values))
    atomic.write_text(kept, json.dumps({"key": key, "outcome": vars(outcome)}, ensure_ascii=False))
    shutil.rmtree(paths.tokenized, ignore_errors=True)
    return outcome


def _train_and_decode(settings: Settings, paths: Paths, nbest: int, clock: Path, clock_key: str) -> Outcome:
    recorder = NullRecorder()
    paths.root.mkdir(parents=True, exist_ok=True)
    run_validate(settings, paths, recorder)
    run_prepare(settings, paths, recorder)
    run_tokenize(settings, paths, recorder)
    with sitting(clock, clock_key):
        trained = run_train(settings, paths, recorder)
    run_export(settings, paths, recorder)
    run_evaluate(settings, paths, recorder)
    with (paths.evaluation / PREDICTIONS_FILE).open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    hypotheses = [row["hypothesis"] for row in rows]
    return Outcome(
        sources=[row["source"] for row in rows],
        references=[row["reference"] for row in rows],
        hypotheses=hypotheses,
        nbest=[[hypothesis] for hypothesis in hypotheses] if nbest == 1 else _decode_nbest(settings, paths, rows, nbest),
        languages=[row.get(LANGUAGE, "") for row in rows],
        seconds=round(seconds_of_sittings(clock, clock_key), 1),
        parameters=trained.parameters,
    )


def _decode_nbest(settings: Settings, paths: Paths, rows: list[dict[str, str]], nbest: int) -> list[list[str]]:
    predictor = Predictor.from_folder(paths.served)
    options = predictor.options.override(num_hypotheses=nbest)
    predictions = predictor.predict([row["source"] for row in rows], options, settings.evaluate.batch_sentences)
    return [[hypothesis.text for hypothesis in prediction.hypotheses] for prediction in predictions]
