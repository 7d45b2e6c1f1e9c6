"""Clients of LibreTranslate get what they know: its fields, its answers, its errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.serving.request_limits import RequestLimits
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases
from seq2seq_core.serving.front.translation import frontend_settings, list_languages
from seq2seq_core.serving.request_reader import RequestReader
from seq2seq_core.tokenization.tags import TagColumns

from .conftest import House, Opener, Reply

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def translate(house: House, content: Any, headers: dict[str, str] | None = None) -> Reply:
    body = content if isinstance(content, str | bytes) else json.dumps(content)
    return house.ask("POST", "/translate", body, {"Content-Type": JSON} | (headers or {}))


def read_error(reply: Reply) -> tuple[int, str]:
    content = json.loads(reply.body)
    assert list(content) == ["error"]
    return reply.status, content["error"]


def test_a_text_is_answered_by_a_text_and_a_list_by_a_list(house: House) -> None:
    one = translate(house, {"q": "a b", "source": "auto", "target": "und", "format": "text", "api_key": "any"})
    assert (one.status, json.loads(one.body)) == (200, {"translatedText": "A B"})
    assert one.headers["x-s2s-model"] == "models:/dates/3; bundle_digest=abc"
    several = translate(house, {"q": ["a", "b"], "source": "en", "target": "und", "alternatives": 0})
    assert json.loads(several.body) == {"translatedText": ["A", "B"]}


def test_alternatives_are_the_other_texts_and_widen_the_beam_where_they_must(house: House) -> None:
    content = {"q": "a", "source": "en", "target": "und", "alternatives": 6}
    assert json.loads(translate(house, content).body) == {"translatedText": "A", "alternatives": [f"A{n}" for n in range(1, 7)]}
    assert house.decoder.modes[-1].options.beam_size == 7
    content = content | {"q": ["a", "b"], "alternatives": 1}
    expected = {"translatedText": ["A", "B"], "alternatives": [["A1"], ["B1"]]}
    assert json.loads(translate(house, content).body) == expected
    assert house.decoder.modes[-1].options.beam_size == house.served.service.reader.options.beam_size


def test_phrases_are_fields_of_their_own(house: House) -> None:
    content = {"q": ["3 May", "a"], "source": "en", "target": "und", "force": ["20"], "forbid": ["9"], "glossary": ["May\t04"]}
    expected = [Phrases(("20", "04"), ("9",)), Phrases(("20",), ("9",))]
    assert translate(house, content).status == 200
    assert house.decoder.phrases == expected
    fields = {"q": "3 May", "source": "en", "target": "und", "force": "20\r\n", "forbid": "9", "glossary": "May\t04"}
    assert house.ask("POST", "/translate", urlencode(fields), {"Content-Type": FORM}).status == 200
    assert house.decoder.phrases == expected[:1]
    assert read_error(translate(house, content | {"forbid": ["2"], "force": ["2 0"]})) == (
        400, "params.force or glossary: '2 0' is forced and forbidden at once (forbid has '2')"
    )  # fmt: skip
    assert read_error(translate(house, content | {"force": 3})) == (400, "params.force: must be a list of texts, got 3")


def test_a_form_and_an_address_are_read_too(house: House) -> None:
    fields = {"q": "a\r\nö", "source": "en", "target": "und", "alternatives": "1"}
    answer = house.ask("POST", "/translate", urlencode(fields), {"Content-Type": FORM})
    assert json.loads(answer.body) == {"translatedText": "A\nÖ", "alternatives": ["A\nÖ1"]}
    answer = house.ask("POST", f"/translate?{urlencode(fields | {'alternatives': ''})}")
    assert json.loads(answer.body) == {"translatedText": "A\nÖ"}


WHOLE = {"q": "a", "source": "en", "target": "und"}


def test_every_field_of_libretranslate_is_taken(house: House) -> None:
    assert translate(house, WHOLE | {"format": "text", "alternatives": 0, "api_key": "", "secret": "", "origin": ""}).status == 200


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        ({"source": "en", "target": "und"}, 400, "Invalid request: missing q parameter"),
        (WHOLE | {"q": ""}, 400, "Invalid request: missing q parameter"),
        ({"q": "a", "target": "und"}, 400, "Invalid request: missing source parameter"),
        ({"q": "a", "source": "en"}, 400, "Invalid request: missing target parameter"),
        (WHOLE | {"q": 3}, 400, "q must be a text or a list of texts, got int"),
        (WHOLE | {"q": ["a", None]}, 400, "row 1: source must be a text, got null"),
        (WHOLE | {"target": ["und"]}, 400, "source and target must be codes of languages"),
        (
            WHOLE | {"beam_size": 2},
            400,
            "expected q, source, target, format, alternatives, api_key, force, forbid, glossary, min_confidence; "
            "got the unknown name 'beam_size'",
        ),
        (WHOLE | {"format": "html"}, 400, "html format is not supported; expected text"),
        (WHOLE | {"alternatives": -1}, 400, "alternatives must be a number from 0 to 199, got -1"),
        (WHOLE | {"alternatives": "x"}, 400, "alternatives must be a number from 0 to 199, got 'x'"),
        (WHOLE | {"q": "a" * 20_001}, 400, "row 0: source must be at most 20000 characters, got 20001 (serve.limits."),
        (WHOLE | {"q": ["a"] * 1025}, 400, "expected 1 to 1024 rows, got 1025 (serve.limits.max_rows sets the limit)"),
        (WHOLE | {"q": ["a" * 20] * 1000, "alternatives": 199}, 400, "the request may cost "),
        ("[]", 400, "Invalid JSON format: not a JSON object, but '[]'"),
        (b"\xff", 400, "the request must be UTF-8"),
        (WHOLE | {"q": "fail"}, 500, "the request failed; the server's log has the reason (request "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_errors_have_its_form(house: House, content: Any, status: int, message: str) -> None:
    found, reason = read_error(translate(house, content))
    assert found == status
    assert reason.startswith(message)


def test_another_type_of_body_and_another_method_are_refused_in_the_same_form(house: House) -> None:
    expected = (415, f"expected the Content-Type {JSON} or {FORM}, got 'text/csv'")
    assert read_error(translate(house, "", {"Content-Type": "text/csv"})) == expected
    assert read_error(house.ask("GET", "/translate")) == (405, "expected the method POST, got GET")


def test_the_api_key_is_the_servers_token(open_house: Opener) -> None:
    with open_house(token="secret") as house:
        assert translate(house, WHOLE | {"api_key": "secret"}).status == 200
        assert translate(house, WHOLE, {"Authorization": "Bearer secret"}).status == 200
        assert read_error(translate(house, WHOLE | {"api_key": "other"})) == (403, "Invalid API key")
        missing = "the server's token is needed: as api_key, or in Authorization: Bearer"
        assert read_error(translate(house, WHOLE)) == (400, missing)
        assert read_error(translate(house, WHOLE, {"Authorization": "Bearer other"}))[0] == 401
        settings = house.ask("GET", "/frontend/settings")
        assert (settings.status, json.loads(settings.body)["keyRequired"]) == (200, True)
        assert house.ask("GET", "/languages").status == 200


def test_its_requests_are_counted(open_house: Opener) -> None:
    with open_house() as house:
        translate(house, WHOLE | {"q": ["a", "b"]})
        lines = house.ask("GET", "/metrics").body.decode().splitlines()
    assert 's2s_requests_total{path="/translate",status="200"} 1.0' in lines
    assert "s2s_rows_total 2.0" in lines


def test_a_model_without_language_tags_has_one_entry_of_any_language(house: House) -> None:
    entry = {"code": "und", "name": "any language"}
    assert json.loads(house.ask("GET", "/languages").body) == [entry | {"targets": ["und"]}]
    settings = json.loads(house.ask("GET", "/frontend/settings").body)
    assert settings["language"] == {"source": entry, "target": entry}
    assert (settings["charLimit"], settings["keyRequired"]) == (20_000, False)


def reader_of(folder: Path, make_bundle: Callable[..., None], tags: TagColumns) -> RequestReader:
    paths = Paths(folder)
    make_bundle(paths, tags=tags)
    return RequestReader.from_folder(paths.served, RequestLimits())


def test_languages_are_those_of_the_models_tags(tmp_path: Path, make_bundle: Callable[..., None]) -> None:
    german, english = {"code": "de", "name": "German"}, {"code": "en", "name": "English"}
    both = reader_of(tmp_path / "both", make_bundle, TagColumns(source=("source_language",), target=("target_language",)))
    assert list_languages(both) == [german | {"targets": ["en"]}, english | {"targets": ["de"]}]
    target = reader_of(tmp_path / "target", make_bundle, TagColumns(source=("target_language",)))
    assert list_languages(target)[0] == german | {"targets": ["en"]}
    assert list_languages(target)[2] == {"code": "und", "name": "any language", "targets": ["de", "en"]}
    assert frontend_settings(target, False)["language"] == {"source": german, "target": english}


def test_languages_reach_the_model_as_tags(tmp_path: Path, make_bundle: Callable[..., None], open_house: Opener) -> None:
    tags = TagColumns(source=("source_language", "style"), target=("target_language",))
    paths = Paths(tmp_path)
    make_bundle(paths, tags=tags)
    with open_house(bundle=paths.served) as house:
        content = {"q": ["a", "b"], "source": "de", "target": "en", "style": "de"}
        assert json.loads(translate(house, content).body) == {"translatedText": ["A", "B"]}
        expected = {"source_language": "de", "style": "de", "target_language": "en"}
        assert house.decoder.tags == [expected, expected]
        refused = translate(house, content | {"target": "fr"})
        assert read_error(refused) == (400, "fr is not supported; expected one of de, en")
        refused = translate(house, content | {"source": "auto"})
        assert read_error(refused) == (400, "auto cannot be found out by this model; expected one of de, en")
        del content["style"]
        assert read_error(translate(house, content)) == (400, "row 0: tag 'style': must be given, one of 'de', 'en'; got nothing")
