"""What a request to a served model may contain, and the refusal, with its reason, of everything else.

MLflow's scoring server answers with status 400 where an ``MlflowException`` of code ``INVALID_PARAMETER_VALUE`` is raised.
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
    """The error that becomes a response of status 400.

    Args:
        reason: what is wrong, where, and what was expected.
    """
    return MlflowException(reason, error_code=INVALID_PARAMETER_VALUE)


def read_limit(variable: str) -> int:
    """A limit from the environment, or its default.

    Args:
        variable: its name, one of ``DEFAULT_LIMITS``.

    Raises:
        ValueError: the variable is set to something that is no positive whole number.
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
        frame: has the column ``source`` with a text in each row.
        max_rows: most rows of one request.
        max_characters: most characters (Unicode code points) of one source.
        variable: of the environment, which sets that limit.

    Raises:
        MlflowException: the request is refused; names the row (from 0) and what was expected.
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
    """The tags of each row of a request; what a row lacks is left out, for the predictor to say what it may be.

    Args:
        frame: the request.
        columns: which of its columns are tags.

    Raises:
        MlflowException: a tag is no text; names the row (from 0).
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
    """Whether a cell is empty: None, pandas's missing value or not a number."""
    return value is None or value is pd.NA or value != value


def _check_source(source: object, row: int, max_characters: int, variable: str) -> None:
    """Refuses a source that is no text of acceptable length."""
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
        params: of the request; MLflow has filled in the defaults of the model's params schema.
        defaults: the options of the model, for what the request leaves out.

    Raises:
        MlflowException: a value is out of range, or does not go with another one.
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
