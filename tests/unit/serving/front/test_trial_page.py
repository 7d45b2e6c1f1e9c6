"""The page to try the model by hand, and the route that answers it. A browser has seen it too; see docs/pictures/trial_page.png."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.tokenization.tags import TagColumns

from .conftest import House, Opener, Reply

VERSION = {"name": "dates", "version": "3", "digest": "abc"}


def try_it(house: House, content: Any, headers: dict[str, str] | None = None) -> Reply:
    body = content if isinstance(content, str | bytes) else json.dumps(content)
    return house.ask("POST", "/try", body, {"Content-Type": "application/json"} | (headers or {}))


def test_the_page_runs_and_loads_nothing_but_what_is_in_it(house: House) -> None:
    answer = house.ask("GET", "/")
    text, policy = answer.body.decode(), answer.headers["content-security-policy"]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for rule, element in (("script-src", "script"), ("style-src", "style")):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
        assert f"{rule} 'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert re.findall(r"https?://|\s(?:on\w+|style)=|\ssrc=", text) == []


def test_the_page_learns_what_the_model_takes(tmp_path: Path, make_bundle: Callable[..., None], open_house: Opener) -> None:
    paths = Paths(tmp_path)
    make_bundle(paths, tags=TagColumns(source=("target_language",)))
    with open_house(bundle=paths.served) as house:
        of_model: dict[str, Any] = {
            "source_kind": "text",
            "sample_rate": None,
            "speaks": False,
            "tags": {"target_language": ["de", "en"]},
            "method": "beam",
            "beam_size": 2,
        }
        of_model |= {"has_confidence": False, "min_confidence": 0.0}
        assert json.loads(house.ask("GET", "/try").body) == VERSION | of_model
        assert try_it(house, {"source": "a", "tags": {"target_language": "en"}}).status == 200
        assert house.decoder.tags == [{"target_language": "en"}]
        refused = try_it(house, {"source": "a"}).message
        assert refused == "row 0: tag 'target_language': must be given, one of 'de', 'en'; got nothing"


def test_hypotheses_come_with_scores_and_alignments(house: House) -> None:
    content = {"source": "ab", "params": {"beam_size": 3}, "num_hypotheses": 2, "alignments": True}
    found = json.loads(try_it(house, content).body)
    aligned = {"source_pieces": ["a", "b"], "target_pieces": ["A", "B"], "weights": [[1.0, 0.0], [0.333, 0.667]]}
    further = {
        "log_probability": -1.0,
        "is_cut": False,
        "source_is_cut": False,
        "confidence": None,
        "abstained": False,
        "from_lexicon": False,
        "alignment": aligned,
        "has_large_alignment": False,
    }
    assert found == VERSION | {"hypotheses": [{"text": "AB", "score": -1.0} | further, {"text": "AB1", "score": -2.0} | further]}
    assert house.decoder.modes[-1].options.beam_size == 3
    (plain,) = json.loads(try_it(house, {"source": "ab"}).body)["hypotheses"]
    assert (plain["text"], plain["alignment"]) == ("AB", None)


def test_an_alignment_that_nobody_could_see_is_left_out(house: House) -> None:
    (found,) = json.loads(try_it(house, {"source": "a" * 201, "alignments": True}).body)["hypotheses"]
    assert (found["alignment"], found["has_large_alignment"]) == (None, True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "the body must be a JSON object, got something else: not a JSON object, but '[]'"),
        ({}, "row 0: source must be a text, got null"),
        ({"source": ["a"]}, "row 0: source must be a text, got list ['a']"),
        ({"source": "a", "beam": 3}, "expected source, tags, params, num_hypotheses, alignments; got the unknown name 'beam'"),
        ({"source": "a", "tags": {"source": "b"}}, "tags.source: unknown; the model has none"),
        ({"source": "a", "params": {"beams": 3}}, "params.beams: unknown; the model has beam_size, length_penalty,"),
        ({"source": "a", "params": []}, "params must be an object, got list"),
        ({"source": "a", "params": {"beam_size": "5"}}, "params.beam_size: must be of the type int, got str '5'"),
        ({"source": "a", "params": {"beam_size": True}}, "params.beam_size: must be of the type int, got bool True"),
        ({"source": "a", "params": {"beam_size": 5.5}}, "params.beam_size: must be of the type int, got float 5.5"),
        ({"source": "a", "params": {"min_confidence": "0.5"}}, "params.min_confidence: must be of the type float, got str '0.5'"),
        ({"source": "a", "params": {"method": 3}}, "params.method: must be of the type str, got int 3"),
        ({"source": "a", "params": {"force": "b"}}, "params.force: must be a list of texts"),
        ({"source": "a", "num_hypotheses": 51}, "num_hypotheses must be a number from 1 to 50, got 51"),
        ({"source": "a", "num_hypotheses": 9}, "params: num_hypotheses must be at most beam_size, got 9 > 2"),
        ({"source": "a", "alignments": 1}, "alignments must be true or false, got 1"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_said(house: House, content: Any, reason: str) -> None:
    answer = try_it(house, content)
    assert answer.status == 400
    assert answer.message.startswith(reason)


def test_only_json_is_read_which_no_foreign_page_can_send(house: House) -> None:
    answer = try_it(house, {"source": "a"}, {"Content-Type": "text/plain"})
    assert answer.status == 415


def test_the_page_is_open_and_the_model_is_not(open_house: Opener) -> None:
    with open_house(token="secret") as house:
        assert house.ask("GET", "/").status == 200
        assert house.ask("GET", "/try").status == try_it(house, {"source": "a"}).status == 401
        assert try_it(house, {"source": "a"}, {"Authorization": "Bearer secret"}).status == 200


def test_a_model_that_writes_text_does_not_speak(house: House) -> None:
    answer = house.ask("POST", "/speech", json.dumps({"source": "a"}), {"Content-Type": "application/json"})
    assert answer.status == 400
    assert answer.message == "this model writes text, and no speech; expected a request to /invocations"
