"""A bundle of an earlier version must still load, and predict what it predicted when it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.predictor import Predictor

STORED = sorted(path.parent for path in Path(__file__).parent.glob("*/expected.json"))
OPTIONS = {"greedy": DecodingOptions(beam_size=1), "beam": DecodingOptions(beam_size=4, num_hypotheses=2)}
SCORE_TOLERANCE = 2e-3
"""Between machines and versions of PyTorch."""


def read_expected(folder: Path) -> Any:
    return json.loads((folder / "expected.json").read_text(encoding="utf-8"))


def test_there_is_a_stored_bundle_of_each_kind_of_model() -> None:
    assert {folder.name for folder in STORED} >= {"gru_v1", "transformer_v1"}


@pytest.mark.parametrize("folder", STORED, ids=lambda folder: folder.name)
def test_a_stored_bundle_is_the_one_that_was_made(folder: Path) -> None:
    assert bundle_digest(folder / "bundle") == read_expected(folder)["digest"]
    assert sum(path.stat().st_size for path in (folder / "bundle").iterdir()) < 200_000


@pytest.mark.parametrize("search", OPTIONS)
@pytest.mark.parametrize("folder", STORED, ids=lambda folder: folder.name)
def test_a_stored_bundle_predicts_what_it_predicted(folder: Path, search: str) -> None:
    expected = read_expected(folder)
    predictions = Predictor.from_folder(folder / "bundle").predict(expected["sources"], OPTIONS[search], batch_sentences=8)
    for prediction, stored in zip(predictions, expected["predictions"][search], strict=True):
        assert [hypothesis.text for hypothesis in prediction.hypotheses] == [hypothesis["text"] for hypothesis in stored]
        for hypothesis, one in zip(prediction.hypotheses, stored, strict=True):
            assert hypothesis.score == pytest.approx(one["score"], abs=SCORE_TOLERANCE)


@pytest.mark.parametrize("folder", STORED, ids=lambda folder: folder.name)
def test_what_is_stored_is_worth_keeping(folder: Path) -> None:
    expected = read_expected(folder)
    pairs = zip(expected["predictions"]["beam"], expected["references"], strict=True)
    assert sum(hypotheses[0]["text"] == reference for hypotheses, reference in pairs) >= 0.85 * len(expected["sources"])
