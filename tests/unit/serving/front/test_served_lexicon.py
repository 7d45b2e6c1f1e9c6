"""A served lexicon: its answers are marked at every path, and a request may leave it out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.bundle.config_file import read_config
from seq2seq_core.bundle.lexicon_file import collect_lexicon
from seq2seq_core.bundle.served_bundle import export_bundle
from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.decoding.predictor import Predictor
from seq2seq_core.serving.batching.predictor_decoder import PredictorDecoder

from .conftest import House, Opener


@pytest.fixture(scope="module")
def house(open_house: Opener, small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("lexicon") / "served"
    lexicon = collect_lexicon([{"source": "5 May", "target": "known"}], read_config(small_bundle).config)
    trained = Path(shutil.copytree(small_bundle, folder.with_name("trained")))
    export_bundle(trained, folder, DecodingOptions(beam_size=2, max_length=4, lexicon=True), lexicon=lexicon)
    with open_house(bundle=folder) as opened, pytest.MonkeyPatch.context() as patched:
        patched.setattr(opened.decoder, "decode", PredictorDecoder(Predictor.from_folder(folder)).decode)
        yield opened


def post(house: House, path: str, content: dict[str, Any]) -> Any:
    reply = house.ask("POST", path, json.dumps(content), {"Content-Type": "application/json"})
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def test_answers_of_the_lexicon_are_marked_at_every_path(house: House) -> None:
    rows = post(house, "/invocations", {"inputs": ["5 May", "6 May"], "params": {"lexicon": True}})["predictions"]
    assert [row["from_lexicon"] for row in rows] == [True, False]
    assert rows[0]["prediction"] == "known"
    told = post(house, "/translate", {"q": ["5 May", "6 May"], "source": "auto", "target": "xx"})
    assert told["from_lexicon"] == [True, False]
    (shown,) = post(house, "/try", {"source": "5 May"})["hypotheses"]
    assert (shown["text"], shown["from_lexicon"]) == ("known", True)


def test_a_request_may_ask_the_model_alone(house: House) -> None:
    (row,) = post(house, "/invocations", {"inputs": ["5 May"], "params": {"lexicon": False}})["predictions"]
    assert not row["from_lexicon"]
