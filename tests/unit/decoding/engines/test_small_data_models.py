"""Relative positions and shared layers in CTranslate2; and the models that are left to PyTorch, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.bundle.bundle import load_bundle, save_bundle
from seq2seq_core.bundle.config_file import BundleConfig
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.model import ModelSection
from seq2seq_core.config.tokenize import SubwordSettings
from seq2seq_core.decoding.engines.ctranslate2_engine import CTranslate2Engine
from seq2seq_core.decoding.engines.ctranslate2_limits import why_not_hold
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.modeling.model_building import build_model
from seq2seq_core.tokenization.subword import train_subword
from tests.unit.decoding.engines.conftest import LETTERS, convert_to, random_words

SIZES = {"architecture": "transformer", "width": 32, "heads": 2, "feedforward_width": 64, "dropout": 0.0}


@pytest.mark.parametrize(
    "settings",
    [{"positions": "relative", "relative_distance": 3}, {"positions": "relative", "share_layers": True}],
    ids=str,
)
def test_ctranslate2_decodes_them_as_the_reference_does(settings: dict[str, Any], tmp_path: Path) -> None:
    subword = train_subword([LETTERS], SubwordSettings(model="char"))
    section = ModelSection.model_validate(SIZES | {"encoder_layers": 3, "decoder_layers": 2} | settings)
    size = subword.vocabulary_size
    torch.manual_seed(5)
    model = build_model(section, size, size, joint=True)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "distance" in name or "projection.weight" in name:
                weight.mul_(2.5)  # attention that is far from even
    config = BundleConfig(model=section, source_vocabulary_size=size, target_vocabulary_size=size, joint=True)
    save_bundle(tmp_path / "bundle", model, config, subword, subword, {"manifest.json": "0" * 64})
    convert_to(tmp_path / "bundle", tmp_path / "served", "float32")
    bundle = load_bundle(tmp_path / "served")
    predictor = Predictor(bundle)
    assert isinstance(predictor.engine, CTranslate2Engine)
    words, options = random_words(30, 4), DecodingOptions(beam_size=3, max_length=12)
    found, expected = predictor.predict(words, options), Predictor(bundle, uses_engine=False).predict(words, options)
    assert [one.text for one in found] == [one.text for one in expected]
    assert [one.log_probability for one in found] == pytest.approx([one.log_probability for one in expected], abs=1e-3)
    assert len({one.text for one in found}) > 5


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"positions": "relative_sinusoidal"},
            "the positions are sinusoids of distances (model.positions relative_sinusoidal)",
        ),
        ({"tag_positions": False}, "tags have no positions (model.tag_positions false)"),
        ({"encoder": "transformer", "decoder": "gru", "alignment": "monotonic"}, "the decoder is recurrent (gru)"),
    ],
)
def test_what_it_cannot_hold_is_left_to_pytorch_with_the_reason(settings: dict[str, Any], reason: str) -> None:
    section = ModelSection.model_validate(SIZES | settings)
    config = BundleConfig(model=section, source_vocabulary_size=9, target_vocabulary_size=9, joint=True, num_source_tags=2)
    assert why_not_hold(config) == reason
