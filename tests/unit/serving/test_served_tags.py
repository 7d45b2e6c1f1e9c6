"""A registered model with tags behind MLflow's own scoring server, in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.settings import Settings
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.tokenization.tags import TagColumns

from .conftest import Client, open_client

pytestmark = pytest.mark.usefixtures("light_registration")

SOURCES = ["3 May 2031", "4. Juni 1999"]
LANGUAGES = ["en", "de"]


@pytest.fixture(scope="module")
def paths(
    tmp_path_factory: pytest.TempPathFactory,
    mlflow_template: Path,
    make_bundle: Callable[..., None],
    make_settings: Callable[..., Settings],
) -> Paths:
    paths = Paths(tmp_path_factory.mktemp("tags"))
    shutil.copy(mlflow_template, paths.mlflow_database)
    make_bundle(paths, tags=TagColumns(source=("language",), target=("style",), separator="+"))
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        register_bundle(make_settings(), paths)
    return paths


@pytest.fixture(scope="module")
def client(paths: Paths) -> Iterator[Client]:
    with open_client(paths, "models:/dates@champion") as opened:
        yield opened


def test_a_request_names_the_tags_in_columns(client: Client, paths: Paths) -> None:
    rows = [{"source": s, "language": one, "style": "de+en"} for s, one in zip(SOURCES, LANGUAGES, strict=True)]
    response = client.post(json={"dataframe_records": rows})
    assert response.status_code == 200, response.text
    predictor = Predictor.from_folder(paths.bundle)
    found = predictor.predict(SOURCES, DecodingOptions(beam_size=2), tags=rows)
    expected = [{"prediction": one.text, "score": one.score, "is_cut": one.is_cut, "source_is_cut": False} for one in found]
    assert response.json() == {"predictions": expected}
    swapped = [row | {"language": other} for row, other in zip(rows, reversed(LANGUAGES), strict=True)]
    assert client.post(json={"dataframe_records": swapped}).json() != {"predictions": expected}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"style": "de"}, "row 1: tag 'language': must be given, one of 'de', 'en'; got nothing"),
        ({"style": "de", "language": None}, "row 1: tag 'language': must be given, one of 'de', 'en'; got nothing"),
        ({"style": "de", "language": "fr"}, "row 1: tag 'language': must be one of 'de', 'en'; got 'fr'"),
        ({"style": "de+fr", "language": "de"}, "row 1: tag 'style': must be one of 'de', 'en'; got 'fr'"),
    ],
)
def test_a_missing_or_unknown_tag_gets_status_400_and_the_known_values(client: Client, row: dict[str, Any], reason: str) -> None:
    good = {"source": "3 May", "language": "de", "style": "en"}
    response = client.post(json={"dataframe_records": [good, {"source": "4 May", **row}]})
    assert response.status_code == 400
    assert reason in response.json()["message"]


def test_the_signature_has_a_column_for_each_tag(paths: Paths, client: Client) -> None:
    import mlflow.models

    info = mlflow.models.get_model_info("models:/dates@champion")
    assert info.signature is not None
    assert info.signature.inputs is not None
    assert [column.name for column in info.signature.inputs.inputs] == [0, "source", "language", "style"]
    assert client.post(json={"inputs": {"source": ["a"]}}).status_code == 400
