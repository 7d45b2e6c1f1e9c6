"""A corpus of pictures through the whole graph: faults by row, frames, training, resumption, evaluation, requests."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from PIL import Image

from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.settings import Settings, parse_settings
from seq2seq_core.corpus.pairs import iterate_pairs
from seq2seq_core.corpus.samples.sample_pictures import draw_line, write_sample_pictures
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import ContractViolation, CorpusError, UserError
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.serving.batching.ticket import Mode, Row
from seq2seq_core.serving.worker.wire import pack_batch, unpack_batch
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.prepare import run_prepare
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.stages.validate import run_validate
from seq2seq_core.tokenization.manifest import Manifest
from seq2seq_core.tracking.mlflow.store import quiet_imports
from tests.training_runs import ListRecorder, output_digests, train_until

ROWS = {"train": 24, "dev": 4, "test": 6}
LINES: dict[str, Any] = {
    "tokenize": {"image": {"height": 16, "columns": 8, "contrast": "stretch"}, "target": {"model": "char", "vocabulary_size": 80}},
    "model": {"architecture": "lstm", "front_end": {"channels": [4, 6], "halvings": 2}, "ctc": True},
    "train": {"ctc_weight": 0.5},
}
GRID: dict[str, Any] = {
    "tokenize": {
        "image": {"layout": "patches", "height": 16, "width": 64, "patch": 8, "colour": True},
        "target": {"model": "char", "vocabulary_size": 80}, "target_tags": ["language"],
    },
    "model": {"architecture": "transformer", "decoder": "gru", "heads": 2, "feedforward_width": 8, "grid_positions": "sinusoidal"},
}  # fmt: skip


def make_settings(kind: dict[str, Any], **sections: dict[str, Any]) -> Settings:
    values: dict[str, dict[str, Any]] = {
        "corpus": {
            "path": "corpus", "source_kind": "image", "input_columns": ["language"],
            "files": {split: [f"{split}.tsv"] for split in ROWS},
        },
        "model": {"width": 16, "dropout": 0.1},
        "train": {
            "max_steps": 4, "warmup_steps": 1, "batch_tokens": 400, "validate_every_steps": 2, "dev_sentences": 2,
            "picture_augment": {"shift": 0.1, "scale": 0.1, "slant": 0.1, "contrast": 0.3, "noise": 0.1},
        },
        "evaluate": {"beam_size": 2, "max_length": 6, "metrics": ["cer", "exact_match"], "worst_examples": 3},
        "register": {"model_name": "m", "metric": "cer", "gate": {"minimum_rows": 1, "baselines": False}},
        "runtime": {"device": "cpu", "progress": "plain"},
    }  # fmt: skip
    names = values.keys() | kind.keys() | sections.keys()
    merged = {name: values.get(name, {}) | kind.get(name, {}) | sections.get(name, {}) for name in names}
    return parse_settings(merged, "test")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few pictures of printed dates."""
    folder = tmp_path_factory.mktemp("pictures") / "corpus"
    write_sample_pictures(folder, ROWS)
    return folder


@pytest.fixture
def paths(corpus: Path, tmp_path: Path) -> Paths:
    """A workspace with a copy of the corpus."""
    shutil.copytree(corpus, tmp_path / "corpus")
    return Paths(tmp_path)


def add_rows(paths: Paths, *rows: str) -> None:
    with (paths.root / "corpus" / "train.tsv").open("a", encoding="utf-8") as file:
        file.writelines(f"{row}\n" for row in rows)


def test_every_picture_that_cannot_be_used_is_named_with_its_row(paths: Paths) -> None:
    folder = paths.root / "corpus"
    (folder / "empty.png").write_bytes(b"")
    (folder / "half.bmp").write_bytes((folder / "lines" / "train-0000.bmp").read_bytes()[:200])
    frames = [Image.fromarray(np.full((9, 9), shade, dtype=np.uint8)) for shade in (0, 255)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "small.png")
    add_rows(paths, *(f"{name}\tone\ten" for name in ("gone.png", "../x.png", "empty.png", "half.bmp", "film.gif", "small.png")))
    settings = make_settings(LINES, validate={"examples": 9}, corpus={"pictures": {"min_width": 20, "max_pixels": 1_000_000}})
    with pytest.raises(ContractViolation) as caught:
        run_validate(settings, paths, NullRecorder())
    message = str(caught.value)
    assert "train, pictures: rows whose picture cannot be used: none; got 6 of 30 rows" in message
    for line, what in {
        26: '"gone.png": no such file; expected a picture',
        27: '"../x.png": expected the name of a file inside the corpus folder',
        28: '"empty.png": empty: it has no bytes',
        29: '"half.bmp": cut short or damaged',
        30: '"film.gif": has 2 frames or pages; expected a single picture',
        31: '"small.png": is 9 × 9; expected at least 20 × 1 pixels (corpus.pictures)',
    }.items():
        assert f"train.tsv:{line}: {what}" in message
    with pytest.raises(CorpusError, match=re.escape('train.tsv:26: "gone.png": no such file')):
        run_prepare(settings, paths, NullRecorder())
    add_rows(paths, "lines/train-0001.bmp\tone\ten")


def test_equal_pixels_under_two_names_are_a_repetition(paths: Paths) -> None:
    Image.open(paths.root / "corpus" / "lines" / "train-0003.bmp").convert("RGB").save(paths.root / "corpus" / "copy.png")
    rows = (paths.root / "corpus" / "train.tsv").read_text(encoding="utf-8").splitlines()
    add_rows(paths, "\t".join(["copy.png", *rows[4].split("\t")[1:]]))
    result = run_validate(make_settings(LINES), paths, NullRecorder())
    checks = {f"{check.contract.split}.{check.contract.name}": check for check in result.checks}
    assert checks["train.duplicate_pairs"].unexpected == 1
    assert checks["train.pictures"].success
    run_prepare(make_settings(LINES), paths, NullRecorder())
    pairs = list(iterate_pairs(paths.prepared_split("train")))
    assert len(pairs) == ROWS["train"]
    assert {len(pair["picture_sha256"]) for pair in pairs} == {64}
    assert sorted(path.name for path in paths.prepared_files.rglob("train-*")) == sorted(
        Path(pair["source"]).name for pair in pairs
    )
    assert "source_characters" not in json.loads(paths.prepare_report.read_text(encoding="utf-8"))["train"]


class FileRecorder(ListRecorder):
    """Also takes plots."""

    keeps_files = True


def train(settings: Settings, paths: Paths) -> None:
    for run in (run_prepare, run_tokenize, run_train, run_export):
        run(settings, paths, NullRecorder())


@pytest.mark.parametrize("kind", [LINES, GRID], ids=["lines", "grid"])
def test_pictures_go_through_the_graph_and_requests_are_answered_alike(kind: dict[str, Any], paths: Paths) -> None:
    settings = make_settings(kind)
    train(settings, paths)
    manifest, tokenized = Manifest.load(paths.tokenized), TokenizedDataset.open(paths.tokenized, "train")
    assert manifest.source.pictures is not None
    assert manifest.source.pictures.settings == settings.tokenize.image
    assert tokenized.source(0).dtype == np.uint8
    recorder = FileRecorder()
    result = run_evaluate(settings, paths, recorder)
    assert list(result.baselines) == ["commonest_target", "nearest_picture"]
    page = (paths.evaluation / "worst_pictures.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert {"attention_1.png", "worst_pictures.html"} <= {name for name, _ in recorder.files}

    predictor = Predictor.from_folder(paths.served, recordings=paths.prepared_files)
    rows = list(iterate_pairs(paths.prepared_split("test")))[:3]
    expected = predictor.predict([row["source"] for row in rows], tags=rows, keep_alignments=True)
    alignment = expected[0].hypotheses[0].alignment
    assert alignment is not None
    assert len(alignment.source_pieces) == alignment.weights_TS.shape[1]

    with quiet_imports():
        from seq2seq_core.serving.pyfunc_model import ServedModel
    context = cast(Any, SimpleNamespace(artifacts={"bundle": str(paths.served)}))
    served = ServedModel()
    served.load_context(context)
    content = [base64.b64encode((paths.prepared_files / row["source"]).read_bytes()).decode() for row in rows]
    request = pd.DataFrame({"source": content, "language": [row["language"] for row in rows]})
    answer = served.predict(context, request)
    assert answer["prediction"].tolist() == [one.text for one in expected]
    assert answer["score"].tolist() == pytest.approx([one.score for one in expected], abs=1e-5)
    with pytest.raises(MlflowException, match=r"^row 0: source must be a picture in base64, got something else"):
        served.predict(context, request.assign(source="lines/a.png"))
    with pytest.raises(MlflowException, match=r"^row 0: source, decoded from base64: not a picture that can be read"):
        served.predict(context, request.assign(source=base64.b64encode(b"no picture").decode()))


def test_a_training_on_changed_pictures_goes_on_bit_for_bit(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(LINES, train={"ctc_weight": 0.5, "spec_augment": {"time_masks": 1}})
    train(settings, paths)
    whole = output_digests(paths)
    shutil.rmtree(paths.training_state)
    train_until(3, settings, paths, monkeypatch)
    run_train(settings, paths, NullRecorder())
    assert output_digests(paths) == whole


def test_frames_pass_to_a_worker_as_they_are() -> None:
    frames_SF = np.random.default_rng(1).integers(0, 256, (5, 12)).astype(np.uint8)
    (row,), _ = unpack_batch(
        json.loads(json.dumps(pack_batch(1, [Row(frames_SF, {}, 5)], Mode(make_settings(LINES).evaluate.decoding))))
    )
    assert isinstance(row.source, np.ndarray)
    assert row.source.dtype == np.uint8
    assert row.source.tolist() == frames_SF.tolist()


def test_the_sample_is_the_same_everywhere(corpus: Path) -> None:
    assert draw_line("3 May 2031").shape == draw_line("3 May 2031").shape
    first = (corpus / "train.tsv").read_text(encoding="utf-8").splitlines()[1].split("\t")
    with Image.open(corpus / first[0]) as image:
        assert (np.asarray(image) == draw_line(first[1])).all()


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"tokenize": {"image": None}},
            "tokenize.image: must be given where corpus.source_kind is 'image' ({} takes every default)",
        ),
        ({"tokenize": {"audio": {}}}, "image must be left out with audio: a corpus has sources of one kind"),
        (
            {"corpus": {"source_kind": "text"}},
            "tokenize.image: must be left out unless corpus.source_kind is 'image', got settings",
        ),
        ({"tokenize": {"source_tags": ["language"]}}, "source_tags must be empty with image (target_tags need not be)"),
        ({"prepare": {"drop_copies": True}}, "prepare.drop_copies: must be false where corpus.source_kind is 'image', got true"),
        (
            {"model": {"grid_positions": "learned"}},
            "model.grid_positions: must be 'none' unless tokenize.image.layout is 'patches'",
        ),
        ({"model": {"ctc": False}}, "train.ctc_weight: must be 0 unless model.ctc is true, got 0.5"),
        ({"model": {"front_end": {"channels": [4], "halvings": 2}}}, "halvings must be at most the number of blocks, 1, got 2"),
        (
            {"tokenize": {"image": {"layout": "patches", "height": 256}, "max_source_tokens": 512}},
            "tokenize.max_source_tokens: must be",
        ),
    ],
)
def test_settings_that_do_not_go_with_pictures_are_refused(sections: dict[str, dict[str, Any]], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        make_settings(LINES, **sections)
