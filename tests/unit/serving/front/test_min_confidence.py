"""``min_confidence`` of a request: answers below it are withheld, and the answer says so, at every path."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from seq2seq_core.bundle.config_file import read_config, write_config
from seq2seq_core.bundle.stored_calibrator import StoredCalibrator
from seq2seq_core.decoding.prediction import Prediction, TextHypothesis
from seq2seq_core.serving.batching.ticket import Mode, Row

from .conftest import House, Opener

TEXTS = {"sure": 0.9, "unsure": 0.4, "": None}


@pytest.fixture(scope="module")
def calibrated(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a calibrator."""
    folder = Path(shutil.copytree(small_bundle, tmp_path_factory.mktemp("calibrated") / "served"))
    calibrator = StoredCalibrator(event="exact_match", min_chrf=0.0, intercept=0.0, weights={}, rows=50, right=25, promises=[])
    write_config(folder, read_config(folder).model_copy(update={"calibrator": calibrator}))
    return folder


@pytest.fixture(scope="module")
def sure(open_house: Opener, calibrated: Path) -> Iterator[House]:
    """A server whose model gives each source in capitals, with the confidence of ``TEXTS``."""

    def decode(rows: Sequence[Row], mode: Mode, stop: Callable[[], bool]) -> list[Prediction]:
        opened.decoder.modes.append(mode)
        texts = [str(row.source) for row in rows]
        return [Prediction((TextHypothesis(text.upper(), -1.0, -1.0, confidence=TEXTS[text]),)) for text in texts]

    with open_house(bundle=calibrated) as opened, pytest.MonkeyPatch.context() as patched:
        patched.setattr(opened.decoder, "decode", decode)
        yield opened


def score(house: House, min_confidence: Any = None) -> list[dict[str, Any]]:
    params = {} if min_confidence is None else {"params": {"min_confidence": min_confidence}}
    reply = house.score({"inputs": list(TEXTS)} | params)
    assert reply.status == 200, reply.message
    rows: list[dict[str, Any]] = json.loads(reply.body)["predictions"]
    return rows


def test_every_answer_has_its_confidence_and_those_below_the_threshold_no_text(sure: House) -> None:
    free = score(sure)
    assert [(row["prediction"], row["confidence"], row["abstained"]) for row in free] == [
        ("SURE", 0.9, False), ("UNSURE", 0.4, False), ("", None, False),
    ]  # fmt: skip
    assert score(sure, 0) == free
    withheld = {"prediction": "", "abstained": True}
    assert score(sure, 0.5) == [free[0], free[1] | withheld, free[2] | withheld]
    assert {mode.options.min_confidence for mode in sure.decoder.modes} == {0.0}, "requests of several thresholds share batches"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min_confidence": 1.5}, "params.min_confidence: must be from 0 to 1, got 1.5"),
        ({"min_confidence": 0.5, "method": "sampling"}, "params: min_confidence must be 0 where method is sampling, got 0.5"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(sure: House, params: dict[str, Any], message: str) -> None:
    reply = sure.score({"inputs": ["sure"], "params": params})
    assert (reply.status, reply.message) == (400, message)


def test_clients_of_libretranslate_may_ask_for_it_too(sure: House) -> None:
    fields = {"q": ["sure", "unsure"], "source": "en", "target": "und"}
    headers = {"Content-Type": "application/json"}
    assert json.loads(sure.ask("POST", "/translate", json.dumps(fields), headers).body) == {"translatedText": ["SURE", "UNSURE"]}
    found = sure.ask("POST", "/translate", json.dumps(fields | {"min_confidence": 0.5}), headers)
    assert json.loads(found.body) == {"translatedText": ["SURE", ""], "confidence": [0.9, 0.4], "abstained": [False, True]}
    form = urlencode({"q": "unsure", "source": "en", "target": "und", "min_confidence": "0.5"})
    found = sure.ask("POST", f"/translate?{form}")
    assert json.loads(found.body) == {"translatedText": "", "confidence": 0.4, "abstained": True}
    for wrong in ("high", True, 2, [0.5]):
        refused = sure.ask("POST", "/translate", json.dumps(fields | {"min_confidence": wrong}), headers)
        assert refused.status == 400
        assert json.loads(refused.body)["error"].startswith("min_confidence must be a number from 0 to 1, got ")


def test_the_trial_page_is_told_the_confidence(sure: House) -> None:
    told = json.loads(sure.ask("GET", "/try").body)
    assert (told["has_confidence"], told["min_confidence"]) == (True, 0.0)
    body = json.dumps({"source": "unsure", "params": {"min_confidence": 0.5}})
    (found,) = json.loads(sure.ask("POST", "/try", body, {"Content-Type": "application/json"}).body)["hypotheses"]
    assert (found["text"], found["confidence"], found["abstained"]) == ("", 0.4, True)


def test_a_model_without_a_calibrator_answers_as_before_and_refuses_a_threshold(house: House) -> None:
    reply = house.score({"inputs": ["a"]})
    assert json.loads(reply.body)["predictions"] == [{"prediction": "A", "score": -1.0, "is_cut": False, "source_is_cut": False}]
    expected = "min_confidence: must be 0 with this model, which has no calibrator"
    refused = house.score({"inputs": ["a"], "params": {"min_confidence": 0.5}})
    assert refused.status == 400
    assert refused.message.startswith(f"params.{expected}")
    content = json.dumps({"q": "a", "source": "en", "target": "und", "min_confidence": 0.5})
    refused = house.ask("POST", "/translate", content, {"Content-Type": "application/json"})
    assert refused.status == 400
    assert expected in json.loads(refused.body)["error"]
