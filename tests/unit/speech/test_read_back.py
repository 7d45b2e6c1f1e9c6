"""A recogniser of recordings reads synthesised words back: its errors there stand beside those on the real recordings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.bundle_folder import bundle_digest
from seq2seq_core.errors import UserError
from seq2seq_core.evaluation.scores import score
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.stages.evaluate import run_evaluate

from .conftest import make_recogniser, make_settings


@pytest.fixture
def recogniser(speaking: Paths, tmp_path: Path) -> Path:
    """The bundle of a recogniser of the same recordings, which has learned next to nothing."""
    return make_recogniser(speaking.root / "raw", tmp_path, {"num_mels": 8, "window_ms": 32.0})


@pytest.mark.proof
def test_its_errors_on_synthesis_stand_beside_those_on_real_recordings(speaking: Paths, recogniser: Path) -> None:
    speech = {"read_back": str(recogniser), "read_back_digest": bundle_digest(recogniser), "iterations": 2}
    register = {"metric": "wer"}
    run_evaluate(make_settings(evaluate={"metrics": ["wer"], "speech": speech}, register=register), speaking, NullRecorder())
    metrics = json.loads(speaking.metrics.read_text())
    heard = [json.loads(line) for line in (speaking.evaluation / "predictions.jsonl").read_text().splitlines()]
    rows = [json.loads(line) for line in (speaking.evaluation / "speech.jsonl").read_text().splitlines()]
    said = [row["source"] for row in rows]
    assert [row["reference"] for row in heard] == said
    assert metrics["test"]["wer"] == pytest.approx(score([row["hypothesis"] for row in heard], said, ["wer"])["wer"], abs=1e-6)
    assert metrics["speech"]["real_wer"] == pytest.approx(
        score([row["read_back_real"] for row in rows], said, ["wer"])["wer"], abs=1e-6
    )
    assert metrics["scored"][0]["decoding"]["engine"].endswith(f"read back by {bundle_digest(recogniser)}")
    other = {"read_back": str(recogniser), "read_back_digest": "0" * 64}
    with pytest.raises(UserError, match=r"evaluate\.speech\.read_back_digest: must be that of the bundle"):
        run_evaluate(make_settings(evaluate={"metrics": ["wer"], "speech": other}, register=register), speaking, NullRecorder())
    itself = {"read_back": str(speaking.served)}
    with pytest.raises(UserError, match="must be a model that reads recordings"):
        run_evaluate(make_settings(evaluate={"metrics": ["wer"], "speech": itself}, register=register), speaking, NullRecorder())
