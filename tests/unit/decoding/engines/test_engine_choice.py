"""Which engine a model is exported for, and which one then decodes."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.bundle.bundle import load_bundle
from seq2seq_core.bundle.config_file import BundleConfig, StoredEngine
from seq2seq_core.config.evaluate import EvaluateSection
from seq2seq_core.config.model import ModelSection
from seq2seq_core.decoding.engines.ctranslate2_conversion import convert, numbered
from seq2seq_core.decoding.engines.engine_choice import choose_engine
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import UserError
from tests.unit.decoding.engines.conftest import TAG, convert_to, random_words

REASONS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ({"architecture": "gru"}, {}, {}, "the encoder is recurrent (gru)"),
    ({"decoder": "lstm"}, {}, {}, "the decoder is recurrent (lstm)"),
    ({}, {"source_vocabulary_size": 0, "frame_width": 8}, {}, "the sources are frames"),
    ({"pointer_generator": True}, {"joint": True}, {}, "the model copies from the source (model.pointer_generator)"),
    ({"time_reduction": 1}, {}, {}, "the source's time axis is halved (model.time_reduction 1)"),
    ({"time_scaling": "gate"}, {}, {}, "the encoded source is scaled by time step (model.time_scaling gate)"),
    ({}, {}, {"min_length": 3}, "with min_length it gives the probability of forbidden symbols to the others"),
    ({}, {}, {"beam_size": 30}, "a beam of 30 needs 60 symbols, the vocabulary has 50"),
]


def config_of(model: dict[str, Any], **values: Any) -> BundleConfig:
    settings = ModelSection.model_validate({"architecture": "transformer"} | model)
    return BundleConfig.model_validate(
        {"model": settings, "source_vocabulary_size": 50, "target_vocabulary_size": 50, "joint": False} | values
    )


@pytest.mark.parametrize(("model", "values", "options", "reason"), REASONS, ids=[reason for *_, reason in REASONS])
def test_what_ctranslate2_cannot_do_is_said_with_its_reason(
    model: dict[str, Any], values: dict[str, Any], options: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_of(model, **values)
    with caplog.at_level(logging.INFO):
        assert choose_engine(EvaluateSection.model_validate(options), config) is None
        assert choose_engine(EvaluateSection.model_validate(options | {"compute_type": "bfloat16"}), config) is None
        engine = choose_engine(EvaluateSection.model_validate(options | {"compute_type": "int8"}), config)
    assert engine == StoredEngine(name="torch", compute_type="int8")
    found = ("float32", "float32", "int8")
    assert caplog.messages == [f"PyTorch decodes, at {one}; CTranslate2 cannot do it: {reason}" for one in found]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "INFO"]  # bfloat16 was asked for
    with pytest.raises(UserError) as caught:
        choose_engine(EvaluateSection.model_validate(options | {"engine": "ctranslate2"}), config)
    expected = f"evaluate.engine: must be auto or torch here, got ctranslate2, which cannot do it: {reason}"
    assert str(caught.value) == expected


def test_a_transformer_is_exported_for_ctranslate2_unless_pytorch_is_asked_for() -> None:
    config = config_of({})
    assert choose_engine(EvaluateSection(), config) == StoredEngine(name="ctranslate2", compute_type="float32")
    assert choose_engine(EvaluateSection(compute_type="int8"), config) == StoredEngine(name="ctranslate2", compute_type="int8")
    assert choose_engine(EvaluateSection(engine="torch"), config) is None
    small = choose_engine(EvaluateSection(engine="torch", compute_type="int8"), config)
    assert small == StoredEngine(name="torch", compute_type="int8")
    with pytest.raises(ValueError, match="compute_type must be one of float32, int8, int8_float32 with engine torch, got int16"):
        EvaluateSection(engine="torch", compute_type="int16")


def test_int8_is_smaller_and_says_so(served_folder: Path, tmp_path: Path) -> None:
    convert_to(served_folder.parent / "bundle", tmp_path / "int8", "int8")
    exact, small = (Predictor.from_folder(folder) for folder in (served_folder, tmp_path / "int8"))
    assert (exact.engine.compute_type, small.engine.compute_type) == ("float32", "int8_float32")
    sizes = [(folder / "ctranslate2.bin").stat().st_size for folder in (served_folder, tmp_path / "int8")]
    assert sizes[1] < 0.75 * sizes[0]
    words, tags = random_words(40, 9), [{TAG: "plain"}] * 40
    texts = [[one.text for one in predictor.predict(words, tags=tags)] for predictor in (exact, small)]
    assert sum(mine == theirs for mine, theirs in zip(*texts, strict=True)) > 30
    assert [one.score for one in exact.predict(words, tags=tags)] != [one.score for one in small.predict(words, tags=tags)]


def test_no_sum_of_two_products_of_8_bits_exceeds_16_bits_on_any_cpu(served_folder: Path) -> None:
    bundle = load_bundle(served_folder)
    settings, vocabularies = bundle.config.model, numbered(bundle.config)
    exact, small = (convert(bundle.only_model, settings, vocabularies, type_).variables() for type_ in ("float32", "int8"))
    rounded = [name for name in small if f"{name}_scale" in small]
    assert len(rounded) > 10
    for name in rounded:
        weights, scale = small[name].numpy().astype("float32"), small[f"{name}_scale"].numpy()[:, None]
        assert abs(weights).max() == 63
        assert abs(weights / scale - exact[name].numpy()).max() <= 0.501 / scale.min()


def test_on_a_gpu_pytorch_decodes_at_float32_and_int8_stays_on_the_cpu(served_folder: Path) -> None:
    bundle = load_bundle(served_folder)
    elsewhere = Predictor(replace(bundle, device=torch.device("cuda", 0)))
    assert elsewhere.engine is elsewhere.reference
    predictor = Predictor(bundle)
    assert predictor.engine is not predictor.reference
    small = replace(bundle, engine=StoredEngine(name="torch", compute_type="int8"), engine_file=None)
    quantized = Predictor(replace(small, device=torch.device("cuda", 0))).engine
    assert (quantized.compute_type, quantized.label.split(" ")[-1]) == ("int8_float32", "cpu")


def test_a_missing_package_is_named(served_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(UserError) as caught:
        Predictor.from_folder(served_folder)
    assert str(caught.value) == (
        "the engine ctranslate2 needs the package of that name, which is not installed; run: pip install ctranslate2 "
        "(or export with evaluate.engine torch)"
    )
