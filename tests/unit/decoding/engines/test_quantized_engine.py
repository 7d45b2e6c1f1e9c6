"""PyTorch at 8 bits, which decodes with what CTranslate2 cannot hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.bundle.bundle import load_bundle, save_bundle
from seq2seq_core.bundle.config_file import BundleConfig, read_config
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.engines.engine_choice import choose_engine, convert_bundle
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import BundleError
from seq2seq_core.modeling.layers import packed_weights
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.tokenization.subword import train_subword
from seq2seq_core.tokenization.tags import TagColumns
from tests.unit.decoding.engines.conftest import LETTERS, TAG, random_words, train_briefly

SHAPES: dict[str, dict[str, Any]] = {
    "recurrent": {"architecture": "gru", "attention": "additive", "tie_embeddings": "all"},
    "mixed": {"architecture": "lstm", "encoder": "transformer", "heads": 2, "feedforward_width": 64},
}
WORDS = random_words(40, 9)
TAGS = [{TAG: "plain"}] * len(WORDS)


@pytest.fixture(scope="module", params=SHAPES)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "bundle"
    subword = train_subword([LETTERS], SubwordSettings(model="char"), tags=[(TAG, "plain"), (TAG, "other")])
    settings = ModelSection.model_validate({"width": 32, "encoder_layers": 1, "dropout": 0.0} | SHAPES[request.param])
    size = subword.vocabulary_size
    torch.manual_seed(3)
    model = build_model(settings, size, size, joint=True)
    train_briefly(model, subword, steps=80)
    config = BundleConfig(
        model=settings, source_vocabulary_size=size, target_vocabulary_size=size, joint=True, tags=TagColumns(target=[TAG])
    )  # fmt: skip
    save_bundle(folder, model, config, subword, subword, {"manifest.json": "0" * 64})
    return folder


@pytest.fixture
def served(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same model, exported at int8; its small matrices count as large."""
    monkeypatch.setattr(packed_weights, "SMALLEST", 1)
    folder, bundle = trained.parent / "served", load_bundle(trained)
    engine = choose_engine(EvaluateSection(compute_type="int8"), bundle.config)
    assert engine is not None
    export_bundle(trained, folder, DecodingOptions(), convert_bundle(bundle, engine))
    return folder


def test_the_bundle_names_the_engine_and_holds_no_file_of_it(trained: Path, served: Path) -> None:
    content = read_config(served)
    assert json.loads((served / "config.json").read_text())["engine"] == {"name": "torch", "compute_type": "int8"}
    assert content.digests == read_config(trained).digests
    changed = content.model_dump(mode="json") | {"engine": {"name": "torch", "compute_type": "int16"}}
    (served / "config.json").write_text(json.dumps(changed))
    with pytest.raises(BundleError, match="compute_type must be int8 or int8_float32 with torch, got int16"):
        Predictor.from_folder(served)


def test_it_decodes_nearly_the_same_texts_and_the_reference_is_untouched(trained: Path, served: Path) -> None:
    exact, small = (Predictor.from_folder(folder) for folder in (trained, served))
    assert (small.engine.name, small.engine.compute_type, small.reference.compute_type) == ("torch", "int8_float32", "float32")
    assert small.engine.label == exact.engine.label
    answers = [predictor.predict(WORDS, tags=TAGS) for predictor in (exact, small)]
    texts, scores = ([[getattr(one, name) for one in found] for found in answers] for name in ("text", "score"))
    assert sum(mine == theirs for mine, theirs in zip(*texts, strict=True)) > 30
    assert scores[0] != scores[1]
    reference = Predictor(small.bundle, uses_engine=False).predict(WORDS, tags=TAGS)
    assert [one.score for one in reference] == scores[0]
    assert small.score(WORDS, WORDS, tags=TAGS) == exact.score(WORDS, WORDS, tags=TAGS)


def test_a_sentence_has_nearly_the_same_answer_alone_and_among_others(served: Path) -> None:
    predictor = Predictor.from_folder(served)
    together, alone = (predictor.predict(WORDS, batch_sentences=size, tags=TAGS) for size in (64, 1))
    # Where other rows change the rounding at float32, a number of 8 bits may fall on the other side.
    equal = [(one, other) for one, other in zip(together, alone, strict=True) if one.text == other.text]
    assert len(equal) >= len(WORDS) - 2
    assert max(abs(one.score - other.score) for one, other in equal) < 2e-3


def test_samples_alignments_lists_and_phrases_are_decoded_at_8_bits_too(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor.from_folder(served)
    monkeypatch.setattr(predictor.reference, "decode", None)
    one, tag = WORDS[0], TAGS[0]
    assert len(predictor.predict(one, DecodingOptions(num_hypotheses=3), tags=tag).hypotheses) == 3
    sampled = predictor.predict(one, DecodingOptions(method="sampling", beam_size=1, num_hypotheses=4), tags=tag)
    assert len(sampled.hypotheses) == 4
    assert "hh" in predictor.predict(one, tags=tag, phrases=Phrases(force=("hh",))).text
    alignment = predictor.attention(one, tags=tag)
    assert alignment is not None
    assert alignment.weights_TS.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_the_weights_are_in_memory_only_once(served: Path) -> None:
    predictor = Predictor.from_folder(served)
    own = predictor.engine.model  # type: ignore[attr-defined]
    pairs = list(zip(own.parameters(), predictor.bundle.model.parameters(), strict=True))
    assert all(mine is not theirs and mine.data_ptr() == theirs.data_ptr() for mine, theirs in pairs)
