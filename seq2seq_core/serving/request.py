"""Validation of requests to a served model; an invalid request is refused with a reason.

MLflow's scoring server answers an ``MlflowException`` of code ``INVALID_PARAMETER_VALUE`` with status 400.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from pydantic import ValidationError

from seq2seq_core.config.decoding_options import DecodingOptions, offered_options
from seq2seq_core.config.section import describe_fault

SOURCE_COLUMN = "source"
MAX_ROWS_VARIABLE = "S2S_SERVING_MAX_ROWS"
MAX_CHARACTERS_VARIABLE = "S2S_SERVING_MAX_CHARACTERS"
MAX_SECONDS_VARIABLE = "S2S_SERVING_MAX_SECONDS"
DEFAULT_LIMITS = {MAX_ROWS_VARIABLE: 1024, MAX_CHARACTERS_VARIABLE: 20_000, MAX_SECONDS_VARIABLE: 60}


def refusal(reason: str) -> MlflowException:
    """The error for a response of status 400.

    Args:
        reason: the fault, its place, and what was expected.
    """
    return MlflowException(reason, error_code=INVALID_PARAMETER_VALUE)


def read_limit(variable: str) -> int:
    """A limit from the environment, or its default.

    Args:
        variable: the variable's name, a key of ``DEFAULT_LIMITS``.

    Raises:
        ValueError: the variable is set but is not a positive whole number.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return DEFAULT_LIMITS[variable]
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{variable}: must be a whole number of at least 1, got {text!r}")
    return int(text)


def read_sources(frame: pd.DataFrame, max_rows: int, max_characters: int, variable: str = MAX_CHARACTERS_VARIABLE) -> list[str]:
    """The sources of a request.

    Args:
        frame: the request, with a text in each row of the column ``source``.
        max_rows: maximum number of rows of a request.
        max_characters: maximum number of characters (Unicode code points) of a source.
        variable: the environment variable of this limit, for messages.

    Raises:
        MlflowException: the request is invalid; the message names the row (from 0) and what was expected.
    """
    if SOURCE_COLUMN not in frame.columns:
        raise refusal(f"expected the column {SOURCE_COLUMN!r}, got {[str(name) for name in frame.columns]}")
    if not 1 <= len(frame) <= max_rows:
        raise refusal(f"expected 1 to {max_rows} rows, got {len(frame)} ({MAX_ROWS_VARIABLE} sets the limit)")
    sources = frame[SOURCE_COLUMN].tolist()
    for row, source in enumerate(sources):
        _check_source(source, row, max_characters, variable)
    return sources


def read_tags(frame: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, str]]:
    """The tags of each row of a request; missing tags are left out: the predictor's error lists the known values.

    Args:
        frame: the request.
        columns: the tag columns.

    Raises:
        MlflowException: a tag is not a text; the message names the row (from 0).
    """
    rows: list[dict[str, str]] = [{} for _ in range(len(frame))]
    for name in columns:
        for row, value in enumerate(frame[name].tolist() if name in frame.columns else ()):
            if isinstance(value, str):
                rows[row][name] = value
            elif not _is_null(value):
                raise refusal(f"row {row}: {name} must be a text, got {type(value).__name__} {value!r}")
    return rows


def _is_null(value: object) -> bool:
    """Whether a cell is empty: None, ``pandas.NA`` or NaN."""
    return value is None or value is pd.NA or value != value


def _check_source(source: object, row: int, max_characters: int, variable: str) -> None:
    """Checks that a source is a valid text within the length limit."""
    if not isinstance(source, str):
        got = "null" if _is_null(source) else f"{type(source).__name__} {source!r}"
        raise refusal(f"row {row}: {SOURCE_COLUMN} must be a text, got {got}")
    if len(source) > max_characters:
        raise refusal(
            f"row {row}: {SOURCE_COLUMN} must be at most {max_characters} characters, got {len(source)} ({variable} sets the limit)"
        )
    try:
        source.encode("utf-8")
    except UnicodeEncodeError as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN} must be valid Unicode, got half a surrogate pair at {error.start}") from None


def read_options(params: Mapping[str, Any] | None, defaults: DecodingOptions) -> DecodingOptions:
    """The decoding options of a request.

    Args:
        params: the request's parameters; MLflow has added the defaults of the model's params schema.
        defaults: the model's options, for those that are still missing.

    Raises:
        MlflowException: a value is out of range, or conflicts with another one.
    """
    given, wanted = dict(params or {}), {}
    for option in offered_options():
        if not option.offer.in_requests or option.name not in given:
            continue
        value = given[option.name]
        if fault := option.range_fault(value):
            raise refusal(f"params.{option.name}: {fault}")
        wanted[option.name] = option.kind(value)
    try:
        return defaults.override(**wanted)
    except ValidationError as error:
        fault = describe_fault(error.errors()[0])
        is_conflict = not error.errors()[0]["loc"]
        raise refusal(f"params: {fault}" if is_conflict else f"params.{fault}") from None
