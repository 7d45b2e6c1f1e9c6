"""A registered model decodes through its exported engine: at its evaluation, at its registration, and where it is served."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.engines.ctranslate2_engine import CTranslate2Engine
from seq2seq_core.decoding.engines.engine import Engine
from seq2seq_core.decoding.engines.torch_engine import TorchEngine
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.errors import UserError
from seq2seq_core.modeling.layers import packed_weights
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry.evaluated import read_evaluated
from seq2seq_core.registry.parity import check_parity
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.versions import find_version
from seq2seq_core.stages.evaluate import run_evaluate
from seq2seq_core.stages.export import run_export

from .conftest import open_client

MODELS: dict[str, dict[str, object]] = {
    "ctranslate2": {"architecture": "transformer", "width": 8, "heads": 2, "feedforward_width": 8},
    "pytorch": {"architecture": "gru"},
}
SOURCES = ["3 May 2031", "4. Juni 1999", ""]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of sentences of each call of an engine at 8 bits."""
    found: list[int] = []

    def watch(kind: type[CTranslate2Engine] | type[TorchEngine]) -> None:
        decode = kind.decode

        def note(self: Engine, rows: list[object], *arguments: object, **named: object) -> object:
            if self.compute_type != "float32":
                found.append(len(rows))
            return decode(self, rows, *arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(kind, "decode", note)

    watch(CTranslate2Engine)
    watch(TorchEngine)
    monkeypatch.setattr(packed_weights, "SMALLEST", 1)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_what_is_evaluated_registered_and_served_is_decoded_by_the_exported_engine(
    tmp_path: Path,
    mlflow_template: Path,
    no_outer_run: None,
    make_bundle: Callable[..., None],
    make_settings: Callable[..., Settings],
    decoded: list[int],
    name: str,
) -> None:
    paths = Paths(tmp_path)
    shutil.copy(mlflow_template, paths.mlflow_database)
    make_bundle(paths, model=MODELS[name])
    shutil.copy(paths.prepared_split("test"), paths.prepared_split("train"))
    settings = make_settings(evaluate={"compute_type": "int8", "max_length": 12})
    run_export(settings, paths, NullRecorder())
    assert not decoded, "there is no dev to calibrate a confidence on"
    _write_dev(paths)
    decoded.clear()
    run_export(settings, paths, NullRecorder())
    assert sum(decoded) >= 40  # each row of dev stands there twice, and is decoded once
    decoded.clear()
    run_evaluate(settings, paths, NullRecorder())
    assert sum(decoded) >= 2 * 40  # by beam search and greedily
    (scored,) = json.loads(paths.metrics.read_text())["scored"]
    assert scored["decoding"]["engine"].startswith(f"{name} ")
    assert scored["decoding"]["compute_type"] == "int8_float32"

    register_bundle(settings, paths)
    decoded.clear()
    assert check_parity(find_version("models:/dates/1", paths), paths, "cpu") > 0
    assert decoded
    requirements = list(paths.root.rglob("artifacts/requirements.txt"))
    assert requirements
    assert ("ctranslate2==" in requirements[0].read_text()) == (name == "ctranslate2")
    with open_client(paths, "models:/dates/1") as client:
        answer = client.post(json={"inputs": SOURCES}).json()["predictions"]
        withheld = client.post(json={"inputs": SOURCES, "params": {"min_confidence": 0.999}}).json()["predictions"]
    expected = Predictor.from_folder(paths.served).predict(SOURCES)
    assert [row["prediction"] for row in answer] == [one.text for one in expected]
    assert [row["score"] for row in answer] == [one.score for one in expected]
    assert [row["confidence"] for row in answer] == [one.confidence for one in expected]
    assert [type(row["confidence"]) for row in answer] == [float, float, type(None)]
    assert withheld == [row | {"prediction": "", "abstained": True} for row in answer]

    run_export(make_settings(evaluate={"engine": "torch", "max_length": 12}), paths, NullRecorder())
    with pytest.raises(UserError, match="the model has changed since it was scored"):
        read_evaluated(settings, paths)


def _write_dev(paths: Paths) -> None:
    """Writes the rows of test twice: once with the model's answers as references, so that it is right, and once as they are."""
    text = paths.prepared_split("test").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    answers = Predictor.from_folder(paths.served).predict([row["source"] for row in rows])
    right = [json.dumps(row | {"target": one.text}) + "\n" for row, one in zip(rows, answers, strict=True)]
    paths.prepared_split("dev").write_text(text + "".join(right), encoding="utf-8")
