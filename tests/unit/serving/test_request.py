from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from seq2seq_core.config.decoding_options import DecodingOptions
from seq2seq_core.config.serving.request_limits import EnvironmentLimits, read_limits
from seq2seq_core.serving.request import check_cost, read_options, read_sources, request_cost
from seq2seq_core.serving.request_columns import read_columns

DEFAULTS = DecodingOptions(beam_size=4, length_penalty=0.6, max_length_ratio=2.0, max_length_offset=7)
LIMITS = EnvironmentLimits(max_rows=3, max_characters=10, max_cost=600)


@pytest.mark.parametrize(
    "given",
    [
        pd.DataFrame({"source": ["b", "a", ""]}),
        pd.DataFrame({"id": [1, 2, 3], "source": ["b", "a", ""]}, index=[7, 7, 8]),
        pd.DataFrame(["b", "a", ""]),
        pd.DataFrame([{"source": ["b", "a", ""]}]),
        pd.Series(["b", "a", ""]),
        ["b", "a", ""],
        ("b", "a", ""),
        np.array(["b", "a", ""]),
        np.array([["b"], ["a"], [""]], dtype=object),
        {"source": ["b", "a", ""]},
        {"source": np.array(["b", "a", ""])},
        [{"source": "b"}, {"source": "a"}, {"source": ""}],
    ],
    ids=str,
)
def test_the_sources_come_in_order_in_whatever_form(given: object) -> None:
    assert read_sources(read_columns(given), LIMITS) == ["b", "a", ""]


@pytest.mark.parametrize("given", ["b", np.array("b"), {"source": "b"}], ids=str)
def test_a_text_is_a_request_of_one_row(given: object) -> None:
    assert read_sources(read_columns(given), LIMITS) == ["b"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"source": ["a", "b"], "language": ["de"]}, "expected columns of one length, got source: 2, language: 1"),
        (pd.DataFrame([["a", "b"]], columns=["source", "source"]), "expected each column once, got ['source', 'source']"),
        (np.array([["a", "b"]]), "expected an array of texts of one axis, got the shape (1, 2)"),
    ],
)
def test_columns_that_do_not_fit_together_are_refused(given: object, reason: str) -> None:
    with pytest.raises(MlflowException, match=f"^{re.escape(reason)}$"):
        read_columns(given)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (pd.DataFrame({"text": ["a"]}), "expected the column 'source', got ['text']"),
        (pd.DataFrame({"source": []}), "expected 1 to 3 rows, got 0 (S2S_SERVING_MAX_ROWS sets the limit)"),
        (pd.DataFrame({"source": list("abcd")}), "expected 1 to 3 rows, got 4 (S2S_SERVING_MAX_ROWS sets the limit)"),
        (pd.DataFrame({"source": ["a", None]}), "row 1: source must be a text, got null"),
        (pd.DataFrame({"source": ["a", math.nan]}), "row 1: source must be a text, got null"),
        (pd.DataFrame({"source": ["a", 3]}), "row 1: source must be a text, got int 3"),
        (["a", ["b"]], "row 1: source must be a text, got list ['b']"),
        (["a", None], "row 1: source must be a text, got null"),
        (np.array(["a", None]), "row 1: source must be a text, got null"),
        (np.array([1.5]), "row 0: source must be a text, got float 1.5"),
        ({"source": ["a", pd.NA]}, "row 1: source must be a text, got null"),
        (None, "row 0: source must be a text, got null"),
        ([{"source": "a"}, {}], "row 1: source must be a text, got null"),
        (
            pd.DataFrame({"source": ["x" * 11]}),
            "row 0: source must be at most 10 characters, got 11 (S2S_SERVING_MAX_CHARACTERS sets the limit)",
        ),
        (
            pd.DataFrame({"source": ["a\ud800"]}, dtype=object),
            "row 0: source must be valid Unicode, got half a surrogate pair at 1",
        ),
    ],
)
def test_anything_but_texts_of_acceptable_number_and_length_is_refused(given: object, reason: str) -> None:
    with pytest.raises(MlflowException, match=f"^{re.escape(reason)}$") as refused:
        read_sources(read_columns(given), LIMITS)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_options_are_those_of_the_evaluation_unless_the_request_says_otherwise() -> None:
    options = read_options(None, DEFAULTS)
    assert (options.beam_size, options.length_penalty, options.max_length) == (4, 0.6, 0)
    assert (options.max_length_ratio, options.max_length_offset) == (2.0, 7)
    options = read_options({"beam_size": 1, "length_penalty": 1.0, "max_length": 9}, DEFAULTS)
    assert (options.beam_size, options.length_penalty, options.max_length) == (1, 1.0, 9)
    assert read_options({"max_length_ratio": 9.5}, DEFAULTS).max_length_ratio == 9.5


def test_a_request_may_ask_for_every_way_of_decoding() -> None:
    params = {
        "method": "sampling", "selection": "mbr", "mbr_samples": 9, "temperature": 0.5, "top_k": 7, "top_p": 0.9, "seed": 3,
        "min_length": 2, "no_repeat_ngram_size": 4, "max_length": 8, "beam_size": 2, "length_penalty": 0.5,
    }  # fmt: skip
    options = read_options(params, DEFAULTS)
    assert options == DecodingOptions.model_validate(params | {"max_length_ratio": 2.0, "max_length_offset": 7})


def test_what_a_request_may_not_ask_for_is_left_out() -> None:
    assert read_options({"num_hypotheses": 3, "max_source_tokens": 9, "beams": 7}, DEFAULTS) == DEFAULTS


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"beam_size": 0}, "params.beam_size: must be from 1 to 200, got 0"),
        ({"beam_size": 201}, "params.beam_size: must be from 1 to 200, got 201"),
        ({"length_penalty": -0.5}, "params.length_penalty: must be from 0 to 10, got -0.5"),
        ({"length_penalty": math.nan}, "params.length_penalty: must be from 0 to 10, got nan"),
        ({"max_length": -1}, "params.max_length: must be from 0 to 4096, got -1"),
        ({"min_length": 4097}, "params.min_length: must be from 0 to 4096, got 4097"),
        ({"no_repeat_ngram_size": -1}, "params.no_repeat_ngram_size: must be from 0 to 100, got -1"),
        ({"temperature": 0.0}, "params.temperature: must be from 0.01 to 100, got 0.0"),
        ({"top_k": -1}, "params.top_k: must be from 0 to 1000000, got -1"),
        ({"top_p": 1.1}, "params.top_p: must be from 0.001 to 1, got 1.1"),
        ({"seed": -1}, "params.seed: must be from 0 to 2147483647, got -1"),
        ({"mbr_samples": 201}, "params.mbr_samples: must be from 2 to 200, got 201"),
        ({"method": "best"}, "params.method: must be one of 'beam' or 'sampling', got 'best'"),
        ({"selection": "x"}, "params.selection: must be one of 'score' or 'mbr', got 'x'"),
        ({"min_length": 5, "max_length": 4}, "params: min_length must be at most max_length, got 5 > 4"),
        ({"selection": "mbr"}, "params: selection must be score where method is not sampling, got mbr"),
        ({"temperature": 0.5}, "params: temperature must be 1 where method is not sampling, got 0.5"),
    ],
)
def test_an_option_out_of_range_is_refused(params: dict[str, Any], reason: str) -> None:
    with pytest.raises(MlflowException, match=f"^{re.escape(reason)}$"):
        read_options(params, DEFAULTS)


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S2S_SERVING_MAX_ROWS", raising=False)
    assert read_limits().max_rows == 1024
    monkeypatch.setenv("S2S_SERVING_MAX_ROWS", "7")
    monkeypatch.setenv("S2S_SERVING_DEADLINE_SECONDS", "2.5")
    assert (read_limits().max_rows, read_limits().deadline_seconds) == (7, 2.5)


@pytest.mark.parametrize(("value", "expected"), [("0", "at least 1"), ("-1", "at least 1"), ("many", "a whole number")])
def test_a_limit_that_is_no_positive_number_stops_the_server(value: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2S_SERVING_MAX_ROWS", value)
    with pytest.raises(ValueError, match=f"^{re.escape(f'S2S_SERVING_MAX_ROWS: must be {expected}, got {value!r}')}$"):
        read_limits()


def test_the_cost_of_a_request_is_known_before_it_is_decoded() -> None:
    assert request_cost([10, 0, 5], DEFAULTS) == 4 * (27 + 17)
    assert request_cost([10], DEFAULTS.override(min_length=500)) == 4 * 500
    assert request_cost([10], DecodingOptions(method="sampling", selection="mbr", mbr_samples=9, max_length=8)) == 9 * 8


def test_a_request_that_costs_too_much_is_refused_with_the_figure_and_the_limit() -> None:
    check_cost([10] * 5, DEFAULTS, LIMITS)
    reason = (
        "the request may cost 648 target tokens (6 rows × 4 hypotheses × up to 27 tokens), expected at most 600: ask for fewer "
        "rows, fewer hypotheses (beam_size) or shorter ones (max_length) (S2S_SERVING_MAX_COST sets the limit)"
    )
    with pytest.raises(MlflowException, match=f"^{re.escape(reason)}$") as refused:
        check_cost([10] * 6, DEFAULTS, LIMITS)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
