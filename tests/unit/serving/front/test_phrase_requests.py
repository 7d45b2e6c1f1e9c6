"""Phrases in requests: each row gets its own, the cost knows them, and what cannot be is refused with the phrase named."""

from __future__ import annotations

import time
from typing import Any

import pytest

from seq2seq_core.decoding.phrases.glossary import Glossary
from seq2seq_core.decoding.phrases.wanted_phrases import Phrases

from .conftest import House

LONG = "1 " * 100


def test_each_row_gets_its_phrases_and_rows_without_any_none(house: House) -> None:
    params = {"glossary": ["May\t04", "3 May\t20", "2020\t2"]}
    assert house.score({"inputs": ["3 May 2020", "May, 2020", "Mayor", "2020 2020"], "params": params}).status == 200
    expected: dict[str, Phrases | None] = {
        "3 May 2020": Phrases(("20", "2")), "May, 2020": Phrases(("04", "2")), "Mayor": None, "2020 2020": Phrases(("2",)),
    }  # fmt: skip
    assert sorted(map(str, house.decoder.phrases)) == sorted(map(str, expected.values()))
    assert house.score({"inputs": ["a"], "params": {"force": [], "forbid": []}}).status == 200
    assert house.decoder.phrases == [None]
    assert house.decoder.modes[-1].width == 0


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"force": "20"}, 'params.force: must be a list of texts, got "20"'),
    ({"force": [["20"], "a"]}, 'params.force: must be a list of texts, got [["20"], "a"]'),
    ({"forbid": [None]}, "params.forbid: must be a list of texts, got [null]"),
    ({"forbid": [3]}, "params.forbid: must be a list of texts, got [3]"),
    ({"glossary": {"a": "b"}}, 'params.glossary: must be a list of texts, got {"a": "b"}'),
    ({"force": [" "]}, "params.force: must be texts that are not empty, got ' '"),
    ({"forbid": [""]}, "params.forbid: must be texts that are not empty, got ''"),
    ({"forbid": ["1" * 201]}, f"params.forbid: '{'1' * 59}…' must be at most 200 characters, got 201"),
    ({"force": ["1" * 5000]}, f"params.force: '{'1' * 59}…' must be at most 200 characters, got 5000"),
    ({"force": ["1"] * 17}, "params.force: must be at most 16 phrases, got 17"),
    ({"forbid": ["1"] * 51}, "params.forbid: must be at most 50 phrases, got 51"),
    (
        {"force": ["1" * 200], "forbid": [f"{place:0200}" for place in range(20)]},
        "params.forbid: force and forbid must have at most 4000 characters together, got 4200",
    ),
    (
        {"glossary": [f"{place:0200}\t1" for place in range(1001)]},
        "params.glossary: must have at most 200000 characters in all terms, got 200200",
    ),
    ({"glossary": ["hot dog\t1", "hot  dog\t2"]}, "params.glossary: 'hot dog' must have one target, got '1' and '2'"),
    (
        {"glossary": ["May\t1", "caf\u00e9\t1", "cafe\u0301\t2"]},
        "params.glossary: 'cafe\u0301' must have one target, got '1' and '2'",
    ),
    ({"forbid": ["1"] * 10_001}, "params.forbid: must have at most 10000 texts, got 10001"),
    ({"force": ["4 Ж"]}, "params.force or glossary: the model's tokeniser cannot spell '4 Ж': it lacks 'Ж'"),
    (
        {"force": ["3 May"], "forbid": ["May"]},
        "params.force or glossary: '3 May' is forced and forbidden at once (forbid has 'May')",
    ),
    (
        {"force": ["2031", "May"], "max_length": 7},
        "params.force: '2031' does not fit: the phrases of a target take 8 tokens, max_length is 7",
    ),
    ({"force": ["1"], "method": "sampling"}, "params.force: '1' needs beam search, got method sampling"),
    ({"force": ["1"], "beam_size": 4, "diversity_groups": 2}, "params.force: '1' needs diversity_groups 1, got 2"),
    ({"glossary": ["a b"]}, "params.glossary: entry 1: must be a term, a TAB and its target, got 'a b'"),
    ({"glossary": ["1\t2", "a\t"]}, "params.glossary: entry 2: must be a term, a TAB and its target, got 'a\\t'"),
    ({"glossary": ["1\t2", "1\t3"]}, "params.glossary: entry 2: '1' must have one target, got '2' and '3'"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "message"), REFUSED, ids=[message[:60] for _, message in REFUSED])
def test_what_cannot_be_is_refused_with_the_phrase_named(house: House, params: dict[str, Any], message: str) -> None:
    answer = house.score({"inputs": ["3 May 1"], "params": params})
    assert (answer.status, answer.message) == (400, message)


def test_the_cost_knows_how_wide_and_long_phrases_make_a_search(open_house: Any) -> None:
    with open_house(limits={"max_cost": 200}) as house:
        params = {"beam_size": 2, "max_length_offset": 10, "max_length_ratio": 1}
        assert house.score({"inputs": ["3 May"], "params": params}).status == 200
        answer = house.score({"inputs": ["3 May"], "params": params | {"force": ["2031", "12 April"]}})
        assert answer.status == 400
        assert answer.message.startswith(
            "the request may cost 406 target tokens (1 rows × 16 hypotheses × up to 19 tokens × 1.3 for its phrases), expected "
            "at most 200: ask for fewer rows, phrases that are forced, fewer hypotheses"
        )
        assert house.score({"inputs": ["3 May"], "params": params | {"force": ["2"]}}).status == 200
        assert house.decoder.modes[-1].width == 4
        assert house.decoder.modes[-1].options.beam_size == 2


def test_a_request_that_costs_too_much_without_phrases_is_refused_before_they_are_looked_for(
    open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def look(_: Glossary, source: str) -> list[str]:
        looked.append(source)
        return []

    monkeypatch.setattr(Glossary, "targets", look)
    with open_house(limits={"max_cost": 200}) as house:
        params = {"beam_size": 50, "glossary": ["May\t04"]}
        assert house.score({"inputs": ["3 May 2031"] * 20, "params": params}).status == 400
        assert looked == []
        assert house.score({"inputs": ["3"], "params": {"beam_size": 1, "glossary": ["May\t04"]}}).status == 200
        assert looked == ["3"]


def test_a_deadline_ends_the_look_for_phrases(open_house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(_: Glossary, source: str) -> list[str]:
        looked.append(source)
        time.sleep(0.2)
        return []

    monkeypatch.setattr(Glossary, "targets", look)
    with open_house(limits={"deadline_seconds": 0.3}) as house:
        answer = house.score({"inputs": ["3"] * 50, "params": {"glossary": ["May\t04"]}})
    assert answer.status == 503
    assert len(looked) < 50


def test_forced_phrases_make_a_row_more_work(house: House) -> None:
    reader = house.served.service.reader
    plain, forced = (reader.read({"source": ["3 May"]}, params)[0][0] for params in ({}, {"force": ["2031", "12 April"]}))
    assert plain.size == plain.length == forced.length
    assert forced.size > 2 * plain.size
