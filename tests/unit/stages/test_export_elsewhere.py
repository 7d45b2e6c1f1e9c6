"""A model for use elsewhere: what another program computes with it, and what its certificate says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ctranslate2
import pytest
import sentencepiece
from typer.testing import CliRunner

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.decoding.predictor import Predictor

SOURCES = ["3 May 2031", "4. Juni 1999", "le 7 mars 2020"]
TRANSFORMER = {"architecture": "transformer", "width": 8, "heads": 2, "feedforward_width": 8}
PARAMS = {
    "corpus": {"path": "raw", "files": {"train": ["train.tsv"]}},
    "register": {"model_name": "dates", "metric": "chrf"},
    "evaluate": {"beam_size": 2, "max_length_offset": 4, "max_length_ratio": 0.5},
}


@pytest.fixture
def workspace(tmp_path: Path, make_bundle: Callable[..., None]) -> Paths:
    paths = Paths(tmp_path)
    make_bundle(paths, model=TRANSFORMER)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    paths.params.write_text(json.dumps(PARAMS))
    rows = [{"source": source, "target": "2031-05-03"} for source in SOURCES]
    paths.prepared_split("dev").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return paths


def export(workspace: Paths, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["export", "-C", str(workspace.root), *arguments])


def test_another_program_gives_the_probabilities_of_the_model(workspace: Paths) -> None:
    folder = workspace.root / "elsewhere"
    found = export(workspace, "--to", "ctranslate2", "--output", str(folder))
    assert found.exit_code == 0, found.output
    pieces = [sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{side}.model")) for side in ("source", "target")]
    translator = ctranslate2.Translator(str(folder), "cpu")
    sources = [[*pieces[0].encode(one, out_type=str), "</s>"] for one in SOURCES]
    targets = [pieces[1].encode(one, out_type=str) for one in SOURCES]
    scores = [sum(result.log_probs) for result in translator.score_batch(sources, targets)]
    expected = Predictor.from_folder(workspace.bundle).score(SOURCES, SOURCES)
    assert scores == pytest.approx([one.log_probability for one in expected], abs=1e-4)


def test_the_certificate_states_parity_quality_size_and_speed(workspace: Paths) -> None:
    folder = workspace.root / "elsewhere"
    found = export(workspace, "--to", "ctranslate2", "--compute", "int8", "-o", str(folder))
    assert found.exit_code == 0, found.output
    page = (folder / "CERTIFICATE.md").read_text()
    assert found.output.endswith(page)
    certificate = json.loads((folder / "certificate.json").read_text())
    assert (certificate["num_rows"], certificate["metric"], certificate["stored_type"]) == (3, "chrf", "int8")
    assert certificate["reference"].startswith("pytorch ")
    assert certificate["converted_bytes"] == (folder / "model.bin").stat().st_size
    gain = certificate["gain"]
    assert gain["low"] <= gain["value"] <= gain["high"]
    assert gain["value"] == pytest.approx(certificate["converted_score"] - certificate["reference_score"])
    assert len(certificate["other_texts"]) == certificate["num_other_texts"]
    assert f"| texts | {3 - certificate['num_other_texts']} of 3 rows of dev have the reference's text |" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "ctranslate2"], "--to and --output: must both be given, or neither of them and no --compute"),
        (["--compute", "int8"], "--to and --output: must both be given, or neither of them and no --compute"),
        (["--to", "torch", "-o", "new"], "--compute: must be int8 or int8_float32 with --to torch, got float32"),
        (["--to", "ctranslate2", "--output", "models"], "models: must be a new or empty folder, got something else"),
    ],
)
def test_what_does_not_go_together_is_refused(
    workspace: Paths, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.root)
    found = export(workspace, *arguments)
    assert found.exit_code == 2
    assert message in found.output


def test_a_recurrent_model_is_refused_with_the_reason(workspace: Paths, make_bundle: Callable[..., None]) -> None:
    make_bundle(workspace)
    found = export(workspace, "--to", "ctranslate2", "--output", str(workspace.root / "elsewhere"))
    assert found.exit_code == 2
    assert "got ctranslate2, which cannot do it: the encoder is recurrent (gru)" in found.output
    assert not (workspace.root / "elsewhere").exists()


def test_a_recurrent_model_at_8_bits_is_a_bundle_with_a_certificate(workspace: Paths, make_bundle: Callable[..., None]) -> None:
    make_bundle(workspace)
    folder = workspace.root / "elsewhere"
    found = export(workspace, "--to", "torch", "--compute", "int8", "--output", str(folder))
    assert found.exit_code == 0, found.output
    assert found.output.endswith((folder / "CERTIFICATE.md").read_text())
    certificate = json.loads((folder / "certificate.json").read_text())
    predictor = Predictor.from_folder(folder / "served")
    assert (certificate["engine"], certificate["compute_type"]) == (predictor.engine.label, "int8_float32")
    assert certificate["num_rows"] == 3
    assert "the reference's: the others are made of them when the model is loaded |" in found.output


def test_without_options_the_stage_runs(workspace: Paths, no_outer_run: None) -> None:
    found = export(workspace)
    assert found.exit_code == 0, found.output
    assert Predictor.from_folder(workspace.served).engine.name == "ctranslate2"
