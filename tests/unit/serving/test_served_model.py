"""The registered model behind MLflow's own scoring server, in this process."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.decoding_options import DecodingOptions, offered_options
from seq2seq_core.decoding.phrases.phrase_matcher import phrases_in
from seq2seq_core.decoding.prediction import Prediction
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.tracking.mlflow.address import tracking_uri
from seq2seq_core.tracking.mlflow.store import connect
from tests.flows.waiting import wait_until
from tests.keys import write_keys

from .conftest import Client, open_client

URI = "models:/dates@champion"
SOURCES = ["3 May 2031", "4. Juni 1999", ""]


@pytest.fixture(scope="module")
def served_paths(tmp_path_factory: pytest.TempPathFactory, registered_template: Path) -> Paths:
    root = tmp_path_factory.mktemp("served") / "workspace"
    shutil.copytree(registered_template, root)
    return Paths(root)


@pytest.fixture(scope="module")
def client(served_paths: Paths) -> Iterator[Client]:
    with open_client(served_paths, URI) as opened:
        yield opened


def predicted(paths: Paths, options: DecodingOptions, sources: Sequence[str] = SOURCES) -> list[dict[str, object]]:
    found = Predictor.from_folder(paths.bundle).predict(sources, options)
    return [
        {"prediction": prediction.text, "score": prediction.score, "is_cut": prediction.is_cut, "source_is_cut": False}
        for prediction in found
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["source"], "data": [[source] for source in SOURCES]}},
        {"dataframe_records": [{"source": source} for source in SOURCES]},
        {"inputs": {"source": SOURCES}},
        {"inputs": [{"source": source} for source in SOURCES]},
        {"inputs": SOURCES},
        {"instances": SOURCES},
        {"instances": [{"source": source} for source in SOURCES]},
    ],
)
def test_every_form_of_request_gets_what_the_bundle_predicts_with_the_evaluated_options(
    client: Client, served_paths: Paths, body: dict[str, object]
) -> None:
    response = client.post(json=body)
    assert response.status_code == 200, response.text
    assert response.json() == {"predictions": predicted(served_paths, DecodingOptions(beam_size=2))}


@pytest.mark.parametrize(
    "params",
    [
        {"beam_size": 3, "length_penalty": 0.5, "max_length": 4},
        {"min_length": 5, "no_repeat_ngram_size": 2},
        {"method": "sampling", "temperature": 0.7, "top_k": 9, "top_p": 0.8, "seed": 11},
        {"method": "sampling", "selection": "mbr", "mbr_samples": 4, "max_length": 6},
    ],
)
def test_a_request_may_choose_its_decoding_options(client: Client, served_paths: Paths, params: dict[str, object]) -> None:
    response = client.post(json={"inputs": SOURCES, "params": params})
    assert response.status_code == 200, response.text
    expected = predicted(served_paths, DecodingOptions.model_validate({"beam_size": 2} | params))
    assert response.json() == {"predictions": expected}


def test_a_request_may_force_and_forbid_phrases(client: Client) -> None:
    params = {"force": ["20"], "forbid": ["1", "9"], "glossary": ["May\t04", "Juni\t07"]}
    response = client.post(json={"inputs": SOURCES, "params": params})
    assert response.status_code == 200, response.text
    may, juni, empty = [row["prediction"] for row in response.json()["predictions"]]
    assert phrases_in(may, ["20", "04", "07", "1", "9"]) == ["20", "04"]
    assert phrases_in(juni, ["20", "04", "07", "1", "9"]) == ["20", "07"]
    assert empty == ""
    unasked = client.post(json={"inputs": SOURCES, "params": {"glossary": ["July\t07"]}})
    assert unasked.json() == client.post(json={"inputs": SOURCES}).json()
    fault = client.post(json={"inputs": SOURCES, "params": {"force": ["ж"]}})
    assert fault.status_code == 400
    assert "params.force or glossary: the model's tokeniser cannot spell 'ж': it lacks 'ж'" in fault.json()["message"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "Ensure that input is a valid JSON formatted string"),
        ('["a"]', "The input must be a JSON dictionary with exactly one of the input fields"),
        ('{"text": ["a"]}', "The input must be a JSON dictionary with exactly one of the input fields"),
        ('{"dataframe_records": [{"text": "a"}]}', "expected the column 'source', got []"),
        ('{"inputs": [null]}', "row 0: source must be a text, got null"),
        ('{"inputs": ["a", NaN]}', "row 1: source must be a text, got null"),
        ('{"inputs": ["a", 3]}', "row 1: source must be a text, got int 3"),
        ('{"inputs": {"source": ["a", null]}}', "row 1: source must be a text, got null"),
        ('{"inputs": [{"source": null}]}', "row 0: source must be a text, got null"),
        ('{"instances": ["a", null, "b"]}', "row 1: source must be a text, got null"),
        ('{"instances": [{"source": 3}]}', "row 0: source must be a text, got int 3"),
        ('{"dataframe_records": [{"source": "a"}, {"source": 3}]}', "row 1: source must be a text, got int 3"),
        ('{"dataframe_split": {"columns": ["source"], "data": []}}', "expected 1 to 1024 rows, got 0"),
        ('{"dataframe_split": {"columns": ["source"], "data": [["a"], [null]]}}', "row 1: source must be a text, got null"),
        ('{"dataframe_split": {"columns": ["source"], "data": [[3]]}}', "row 0: source must be a text, got int 3"),
        ('{"inputs": ["a"], "params": {"beam_size": 0}}', "params.beam_size: must be from 1 to 200, got 0"),
        ('{"inputs": ["a"], "params": {"beam_size": "x"}}', "Can not safely convert `<class 'str'>` to `DataType.integer`"),
        ('{"inputs": ["a"], "params": {"method": "best"}}', "params.method: must be one of 'beam' or 'sampling', got 'best'"),
        ('{"inputs": ["a"], "params": {"top_k": 5}}', "params: top_k must be 0 where method is not sampling, got 5"),
        ('{"inputs": ["a"], "params": {"length_penalty": NaN}}', "params.length_penalty: must be from 0 to 10, got nan"),
    ],
)
def test_a_malformed_request_gets_status_400_and_the_reason(client: Client, body: str, reason: str) -> None:
    response = client.post(content=body)
    assert response.status_code == 400
    assert reason in response.json()["message"]


def test_too_many_rows_get_status_400(client: Client) -> None:
    response = client.post(json={"inputs": ["a"] * 1025})
    assert response.status_code == 400
    assert "expected 1 to 1024 rows, got 1025 (S2S_SERVING_MAX_ROWS sets the limit)" in response.json()["message"]


def test_an_exhausted_memory_is_no_fault_of_the_request(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*arguments: object, **options: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Predictor, "predict", exhausted)
    response = client.post(json={"inputs": ["a"]})
    assert response.status_code == 500
    assert response.json()["message"].endswith("decoding failed: out of memory")


@pytest.mark.parametrize(
    "given", [SOURCES, np.array(SOURCES), {"source": SOURCES}, [{"source": source} for source in SOURCES]], ids=str
)
def test_python_takes_texts_in_any_form(client: Client, served_paths: Paths, given: Any) -> None:
    answer: Any = client.model.predict(given)
    assert answer.to_dict("records") == predicted(served_paths, DecodingOptions(beam_size=2))


def test_python_takes_a_text(client: Client, served_paths: Paths) -> None:
    answer: Any = client.model.predict(SOURCES[0], params={"beam_size": 3})
    assert answer.to_dict("records") == predicted(served_paths, DecodingOptions(beam_size=3), SOURCES[:1])


def test_requests_of_several_threads_share_a_batch(client: Client, served_paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    predict, sizes, go = Predictor.predict, list[int](), threading.Event()

    def held(self: Predictor, sources: list[str], *arguments: Any, **options: Any) -> list[Prediction]:
        sizes.append(len(sources))
        go.wait()
        return predict(self, sources, *arguments, **options)

    monkeypatch.setattr(Predictor, "predict", held)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(client.model.predict, SOURCES[0])]
        wait_until(lambda: len(sizes) == 1, "the first batch")
        answers += [pool.submit(client.model.predict, SOURCES) for _ in range(5)]
        served: Any = client.model
        batcher = served.unwrap_python_model().service.batcher
        wait_until(lambda: batcher.load().waiting_rows == 15, "the others in the queue")
        go.set()
    assert sizes == [1, 15]
    monkeypatch.undo()
    expected = predicted(served_paths, DecodingOptions(beam_size=2))
    for answer in answers[1:]:
        frame: Any = answer.result()
        rows = frame.to_dict("records")
        assert [row["prediction"] for row in rows] == [row["prediction"] for row in expected]
        assert [row["score"] for row in rows] == pytest.approx([row["score"] for row in expected], abs=1e-4)


def test_a_request_that_would_hold_the_server_for_hours_is_refused_before_it_is_decoded(client: Client) -> None:
    response = client.post(json={"inputs": ["3 May 2031"] * 64, "params": {"beam_size": 200, "min_length": 4096}})
    assert response.status_code == 400
    cost = "the request may cost 52428800 target tokens (64 rows × 200 hypotheses × up to 4096 tokens), expected at most 1000000"
    assert cost in response.json()["message"]


def test_a_request_is_answered_at_its_deadline_whatever_holds_the_decoder(
    served_paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2S_SERVING_DEADLINE_SECONDS", "0.2")
    with open_client(served_paths, URI) as opened:
        go = threading.Event()
        monkeypatch.setattr(Predictor, "predict", lambda *arguments, **options: go.wait())
        responses = [opened.post(json={"inputs": ["a"]}) for _ in range(2)]
        go.set()
    assert [response.status_code for response in responses] == [503, 503]
    assert responses[0].json()["message"].endswith("not finished within the time that a request may take")


@pytest.mark.proof
@pytest.mark.slow
def test_a_served_model_runs_its_own_copy_of_the_package(served_paths: Paths, tmp_path: Path) -> None:
    code = (
        "import sys, mlflow.pyfunc, pandas\n"
        f"model = mlflow.pyfunc.load_model({URI!r})\n"
        "print(model.predict(pandas.DataFrame({'source': ['3 May 2031']})).columns.tolist())\n"
        "print(sys.modules['seq2seq_core.decoding.predictor'].__file__)\n"
    )
    environment = {"MLFLOW_TRACKING_URI": tracking_uri(served_paths), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    columns, place = done.stdout.splitlines()
    assert columns == "['prediction', 'score', 'is_cut', 'source_is_cut']"
    assert place.endswith("/code/seq2seq_core/decoding/predictor.py")


def test_the_stored_model_pins_its_requirements_and_describes_its_parameters(served_paths: Paths) -> None:
    connect(served_paths)
    import mlflow.models

    info = mlflow.models.get_model_info(URI)
    assert info.signature is not None
    assert info.signature.params is not None
    described = [(spec.name, spec.dtype.name, spec.default) for spec in info.signature.params.params]
    numbers = [option.name for option in offered_options() if option.offer.in_requests]
    assert [name for name, _, _ in described] == [*numbers, "force", "forbid", "glossary"]
    expected = [
        ("beam_size", "integer", 2),
        ("length_penalty", "double", 1.0),
        ("method", "string", "beam"),
        ("force", "string", []),
    ]
    assert [one for one in expected if one not in described] == []
    (requirements,) = served_paths.mlflow_artifacts.rglob("requirements.txt")
    pinned = requirements.read_text().split()
    assert [line.partition("==")[0] for line in pinned] == sorted(
        ["mlflow", "numpy", "pandas", "pydantic", "ruamel-yaml", "safetensors", "sentencepiece", "torch"]
    )
    assert not [line for line in pinned if "+" in line or "==" not in line]


LOAD_ALL = """
import os, sys, mlflow.pyfunc
def load(folder):
    try:
        mlflow.pyfunc.load_model(folder)
        print("served")
    except mlflow.MlflowException as error:
        print(error.error_code, error.message)
key, *folders = sys.argv[1:]
for folder in folders:
    load(folder)
os.environ["S2S_PUBLIC_KEY_FILE"] = key
load(folders[0])
"""


@pytest.mark.proof
@pytest.mark.slow
def test_a_model_whose_files_were_changed_is_not_loaded(served_paths: Paths, tmp_path: Path) -> None:
    """By plain MLflow, in a process without a workspace or a registry."""
    (stored,) = served_paths.mlflow_artifacts.glob("models/*/artifacts")
    changes = {"config": "artifacts/bundle/config.json", "code": "code/seq2seq_core/errors.py", "loader": "pyfunc_model.py"}
    for name in ("unchanged", *changes):
        shutil.copytree(stored, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        if name in changes:
            with (tmp_path / name / changes[name]).open("a") as file:
                file.write("\n")
    environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/none.db", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    folders = [str(tmp_path / name) for name in ("unchanged", *changes)]
    command = [sys.executable, "-c", LOAD_ALL, str(write_keys(tmp_path)[1]), *folders]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    unchanged, *changed, unsigned = done.stdout.splitlines()
    assert (unchanged, len(changed)) == ("served", 3)
    for line, what in zip(changed, ("bundle (artifacts/bundle)", "code (code)", "code (code)"), strict=True):
        assert line.startswith("INVALID_STATE the model is not served: the model m-")
        assert f": its {what}" in line
    assert "is not signed, and runtime.signing.public_key_file" in unsigned
