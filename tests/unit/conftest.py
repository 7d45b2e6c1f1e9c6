"""Workspaces with a real MLflow store in SQLite, and tiny real bundles: for tracking, registry, serving and register."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from seq2seq_core.artifacts import Paths
from seq2seq_core.audio.sound_file import write_wav
from seq2seq_core.bundle.bundle import save_bundle
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.bundle.model_seal import LOADER_FILE
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.evaluation.evaluator import decode_texts
from seq2seq_core.evaluation.metric import ScoringOptions
from seq2seq_core.evaluation.scored import Scored, describe_decoding, metric_settings
from seq2seq_core.evaluation.scores import score
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry import judgement, packaging
from seq2seq_core.registry.receipts import write_receipt
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.tokenization.manifest import file_digest
from seq2seq_core.tokenization.subword import train_subword
from seq2seq_core.tokenization.tags import TagColumns

OUTER_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "S2S_GRAPH_RUN", "S2S_FLOW_RUN_ID", "PREFECT__FLOW_RUN_ID")
SOURCES = ["3 May 2031", "4. Juni 1999", "le 7 mars 2020", "12 April 2001"]
TEST_ROWS = 40
WHOLE_PACKAGE = packaging.PACKAGE


@pytest.fixture
def no_outer_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of a store or a run around the tests do not reach them."""
    for name in OUTER_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tracked_paths(tmp_path: Path, mlflow_template: Path, no_outer_run: None) -> Paths:
    """A workspace with an MLflow database of its own."""
    paths = Paths(tmp_path / "workspace")
    paths.root.mkdir()
    shutil.copy(mlflow_template, paths.mlflow_database)
    return paths


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., Settings]:
    """Settings with the given fields of ``register`` and ``evaluate``."""

    def make(register: dict[str, object] | None = None, evaluate: dict[str, object] | None = None) -> Settings:
        values = {
            "corpus": {"path": "data/raw/dates", "files": {"train": ["train.tsv"]}},
            "register": {"model_name": "dates", "gate": {"minimum_rows": 4}} | (register or {}),
            "evaluate": {"beam_size": 2} | (evaluate or {}),
            "runtime": {"device": "cpu", "progress": "plain"},
        }
        return parse_settings(values, "test")

    return make


@pytest.fixture
def tracked_settings(make_settings: Callable[..., Settings]) -> Settings:
    """Settings of the model ``dates``."""
    return make_settings()


@pytest.fixture(scope="session")
def make_bundle() -> Callable[..., None]:
    """See :func:`write_tiny_bundle`."""
    return write_tiny_bundle


def write_tiny_bundle(
    paths: Paths,
    seed: int = 1,
    right: float | None = 0.5,
    test_rows: int = TEST_ROWS,
    tags: TagColumns | None = None,
    model: dict[str, object] | None = None,
) -> None:
    """Puts a tiny bundle of random weights, a test set, and an evaluation with some share of right answers into a workspace."""
    torch.manual_seed(seed)
    values = [(column, value) for column in (tags.all if tags else ()) for value in ("de", "en")]
    subword = train_subword(SOURCES, SubwordSettings(model="char", vocabulary_size=64), tags=values)
    model_settings = ModelSection.model_validate({"width": 8, "dropout": 0.0} | (model or {}))
    size = subword.vocabulary_size
    network = build_model(model_settings, size, size, False)
    config = BundleConfig(
        model=model_settings,
        source_vocabulary_size=size,
        target_vocabulary_size=size,
        joint=False,
        tags=tags or TagColumns(),
    )
    save_bundle(paths.bundle, network, config, subword, subword, {"manifest.json": "0" * 64})
    export_bundle(paths.bundle, paths.served, DecodingOptions(beam_size=2))
    paths.prepared.mkdir(parents=True, exist_ok=True)
    columns = dict.fromkeys(tags.all, "de") if tags else {}
    sources = [f"{source} {number}".removesuffix(" 0") for number in range(TEST_ROWS) for source in SOURCES][:test_rows]
    pairs = [{"source": source, "target": "2031-05-03", **columns} for source in sources]
    paths.prepared_split("test").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    write_evaluation_of(paths, pairs, right)


def write_evaluation_of(
    paths: Paths,
    pairs: list[dict[str, str]],
    right: float | None,
    metrics: Sequence[str] = ("exact_match",),
    bleu_tokenizer: str = "13a",
) -> None:
    """Writes an evaluation of the served bundle.

    Args:
        paths: the workspace, whose test set begins with the pairs.
        pairs: the rows that are evaluated.
        right: the share of right hypotheses; None: those that the model really makes.
        metrics: the metrics.
        bleu_tokenizer: of BLEU.
    """
    predictor = Predictor.from_folder(paths.served, recordings=paths.prepared_audio)
    if right is None:
        hypotheses = decode_texts(predictor, pairs, predictor.options, 64).texts
    else:
        number = round(right * len(pairs))
        hypotheses = [pair["target"] if place < number else "wrong" for place, pair in enumerate(pairs)]
    paths.evaluation.mkdir(parents=True, exist_ok=True)
    file = paths.evaluation / "predictions.jsonl"
    file.write_text("".join(json.dumps({"hypothesis": text}) + "\n" for text in hypotheses), encoding="utf-8")
    test = file_digest(paths.prepared_split("test"))
    decoding = describe_decoding(paths.served, predictor.options, test, len(pairs), predictor.engine_for(predictor.options))
    options = ScoringOptions(bleu_tokenizer)
    scored = Scored(decoding, metric_settings(metrics, options), file_digest(file))
    scores = score(hypotheses, [pair["target"] for pair in pairs], metrics, options)
    paths.metrics.write_text(json.dumps({"test": scores, "scored": [scored.to_dict()]}), encoding="utf-8")


@pytest.fixture(scope="session")
def audio_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Paths, Settings]:
    """A workspace with a corpus of sines and noises, all stages up to a training of two updates done, and its settings."""
    paths = Paths(tmp_path_factory.mktemp("audio_template"))
    (paths.root / "corpus").mkdir()
    chance = np.random.default_rng(1)
    for split, count in (("train", 12), ("dev", 3), ("test", 5)):
        lines = ["source\ttarget\tkind\n"]
        for number in range(count):
            samples_N = chance.normal(scale=0.1, size=800 + 80 * number)
            samples_N += np.sin(np.arange(len(samples_N)) * chance.uniform(0.1, 2.0)) * (number % 2)
            write_wav(paths.root / "corpus" / f"{split} {number}.wav", 0.5 * samples_N.astype(np.float32), 8000)
            lines.append(f"{split} {number}.wav\t{['noise', 'sine'][number % 2]} {number}\t{number % 2}\n")
        (paths.root / "corpus" / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
    settings = parse_settings(
        {
            "corpus": {
                "path": "corpus", "source_kind": "audio", "sample_rate": 8000,
                "files": {split: [f"{split}.tsv"] for split in ("train", "dev", "test")},
            },
            "tokenize": {"audio": {"num_mels": 8}, "target": {"model": "symbols"}},
            "model": {"width": 8, "encoder_layers": 2, "time_reduction": 1},
            "train": {
                "max_steps": 2, "warmup_steps": 1, "validate_every_steps": 2, "dev_sentences": 2,
                "spec_augment": {"time_masks": 1, "frequency_masks": 1, "frequency_width": 2},
            },
            "evaluate": {
                "beam_size": 2, "max_length_ratio": 0.2, "max_length_offset": 4, "metrics": ["wer"], "slice_columns": ["kind"],
            },
            "register": {"model_name": "dates", "metric": "wer", "gate": {"minimum_rows": 1, "baselines": False}},
            "runtime": {"device": "cpu", "progress": "plain"},
        },
        "test",
    )  # fmt: skip
    for run in (run_prepare, run_tokenize, run_train, run_export):
        run(settings, paths, NullRecorder())
    return paths, settings


@pytest.fixture(scope="module")
def light_registration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Registers with a package of the loader alone in place of the whole, which is copied three times, and times one row.

    The versions answer in this process, which has the package already, but in no other.
    """
    package = tmp_path_factory.mktemp("code") / WHOLE_PACKAGE.name
    (package / "serving").mkdir(parents=True)
    for name in ("__init__.py", f"serving/{LOADER_FILE}"):
        shutil.copy(WHOLE_PACKAGE / name, package / name)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(packaging, "PACKAGE", package)
        patched.setattr(judgement, "TIMED_ROWS", 1)
        yield


@pytest.fixture(scope="session")
def registered_template(
    tmp_path_factory: pytest.TempPathFactory,
    mlflow_template: Path,
    make_bundle: Callable[..., None],
    make_settings: Callable[..., Settings],
) -> Path:
    """A workspace whose bundle is registered as version 1 of ``dates``, with its receipt."""
    paths = Paths(tmp_path_factory.mktemp("registered_template"))
    shutil.copy(mlflow_template, paths.mlflow_database)
    make_bundle(paths)
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        environment.setattr(packaging, "PACKAGE", WHOLE_PACKAGE)  # servers of other processes load it
        write_receipt(register_bundle(make_settings(), paths).receipt, paths)
    return paths.root


@pytest.fixture
def no_known_places() -> None:
    """MLflow forgets the places of artifacts, which it keeps by id for a process: a copy of a workspace has the same ids."""
    _artifact_repos_cache.clear()


@pytest.fixture
def registered_paths(tmp_path: Path, registered_template: Path, no_outer_run: None, no_known_places: None) -> Paths:
    """A copy of that workspace; opening its store corrects where the artifacts are."""
    shutil.copytree(registered_template, tmp_path / "registered")
    return Paths(tmp_path / "registered")
