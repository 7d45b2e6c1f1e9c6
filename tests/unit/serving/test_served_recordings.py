"""Recordings that are cut, drawn by group and have a tag of the target, from the prepared corpus to the served model."""

from __future__ import annotations

import base64
import json
import shutil
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from seq2seq_core.artifacts import Paths
from seq2seq_core.batching.dataset import TokenizedDataset
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.recorder import NullRecorder
from seq2seq_core.registry.parity import check_parity
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.registry.versions import find_number
from seq2seq_core.stages.export import run_export
from seq2seq_core.stages.tokenize import run_tokenize
from seq2seq_core.stages.train import run_train
from seq2seq_core.tokenization.manifest import Manifest
from seq2seq_core.tracking.mlflow.store import connect, quiet_imports
from tests.unit.conftest import write_evaluation_of

pytestmark = pytest.mark.usefixtures("light_registration")

LIMIT = 9
TOKENIZE = {"target_tags": ["kind"], "group_columns": ["kind"], "max_source_tokens": LIMIT, "long_source": "truncate"}


@pytest.fixture
def trained(audio_template: tuple[Paths, Settings], tracked_paths: Paths) -> tuple[Paths, Settings]:
    """A workspace whose model was trained with the settings ``TOKENIZE``, and all its settings."""
    template, plain = audio_template
    values = plain.model_dump()
    values["tokenize"] |= TOKENIZE
    values["train"]["sampling_temperature"] = 2.0
    settings = Settings.model_validate(values)
    shutil.copytree(template.prepared, tracked_paths.prepared)
    for run in (run_tokenize, run_train, run_export):
        run(settings, tracked_paths, NullRecorder())
    return tracked_paths, settings


def test_cut_and_tagged_recordings_are_served_as_they_were_trained(trained: tuple[Paths, Settings]) -> None:
    paths, settings = trained
    train = TokenizedDataset.open(paths.tokenized, "train")
    assert train.source_lengths.tolist() == [8, *[LIMIT] * 11]
    assert np.load(paths.tokenized / "train.groups.npy").tolist() == [0, 1] * 6
    assert Manifest.load(paths.tokenized).groups == {"0": 6, "1": 6}
    assert json.loads(paths.tokenize_report.read_text(encoding="utf-8"))["train"]["truncated_sources"] == 10

    predictor = Predictor.from_folder(paths.bundle, recordings=paths.prepared_audio)
    tags = [{"kind": "0"}, {"kind": "1"}]
    audio, options = predictor.bundle.config.audio, settings.evaluate.decoding
    assert audio is not None
    names = ["test 3.wav", "test 4.wav"]
    rows, _ = predictor.sources.encode(names, [[], []], 1, 100)
    assert [len(row) for row in rows] == [LIMIT, LIMIT]
    expected = predictor.predict(names, options, tags=tags)
    short = predictor.predict([np.asarray(row, dtype=np.float32) for row in rows], options, tags=tags)
    assert [(one.text, one.score, one.source_is_cut) for one in short] == [(one.text, one.score, False) for one in expected]

    with quiet_imports():
        from seq2seq_core.serving.pyfunc_model import ServedModel
    context = cast(Any, SimpleNamespace(artifacts={"bundle": str(paths.served)}))
    served = ServedModel()
    served.load_context(context)
    request = pd.DataFrame({"source": [base64.b64encode((paths.prepared_audio / name).read_bytes()).decode() for name in names]})
    answer = served.predict(context, request.assign(kind=["0", "1"]))
    assert answer.to_dict("list") == {
        "prediction": [one.text for one in expected],
        "score": [one.score for one in expected],
        "is_cut": [one.is_cut for one in expected],
        "source_is_cut": [True, True],
    }
    with pytest.raises(MlflowException, match=r"^row 0: tag 'kind': must be given, one of '0', '1'; got nothing$"):
        served.predict(context, request)


def test_the_example_of_a_registered_model_has_a_recording_that_a_server_can_read_and_its_tag(
    trained: tuple[Paths, Settings],
) -> None:
    paths, settings = trained
    pairs = [json.loads(line) for line in paths.prepared_split("test").read_text().splitlines()]
    paths.metrics.parent.mkdir(exist_ok=True)
    write_evaluation_of(paths, pairs, None, ["wer"])
    assert register_bundle(settings, paths).is_new
    example = json.loads(next(paths.mlflow_artifacts.rglob("input_example.json")).read_text(encoding="utf-8"))
    recording = base64.b64encode((paths.prepared_audio / "test 0.wav").read_bytes()).decode()
    assert example["inputs"] == {"columns": ["source", "kind"], "data": [[recording, "0"]]}
    version = find_number(connect(paths), "dates", "1")
    assert version is not None
    assert check_parity(version, paths) == 5
