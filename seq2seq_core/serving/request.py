"""What a request to a served model may contain, and the refusal, with its reason, of everything else.

MLflow's scoring server answers with status 400 where an ``MlflowException`` of code ``INVALID_PARAMETER_VALUE`` is raised.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from seq2seq_core.decoding.options import DecodingOptions

SOURCE_COLUMN = "source"
MAX_ROWS_VARIABLE = "S2S_SERVING_MAX_ROWS"
MAX_CHARACTERS_VARIABLE = "S2S_SERVING_MAX_CHARACTERS"
DEFAULT_LIMITS = {MAX_ROWS_VARIABLE: 1024, MAX_CHARACTERS_VARIABLE: 20_000}
BOUNDS: dict[str, tuple[float, float]] = {"beam_size": (1, 200), "length_penalty": (0, 10), "max_length": (0, 4096)}
"""The accepted range of each decoding parameter; ``max_length`` is in target tokens, 0: from the source's length."""


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


def read_sources(frame: pd.DataFrame, max_rows: int, max_characters: int) -> list[str]:
    """The sources of a request.

    Args:
        frame: has the column ``source`` with a text in each row.
        max_rows: most rows of one request.
        max_characters: most characters (Unicode code points) of one source.

    Raises:
        MlflowException: the request is refused; names the row (from 0) and what was expected.
    """
    if SOURCE_COLUMN not in frame.columns:
        raise refusal(f"expected the column {SOURCE_COLUMN!r}, got {[str(name) for name in frame.columns]}")
    if not 1 <= len(frame) <= max_rows:
        raise refusal(f"expected 1 to {max_rows} rows, got {len(frame)} ({MAX_ROWS_VARIABLE} sets the limit)")
    sources = frame[SOURCE_COLUMN].tolist()
    for row, source in enumerate(sources):
        _check_source(source, row, max_characters)
    return sources


def _check_source(source: object, row: int, max_characters: int) -> None:
    """Refuses a source that is no text of acceptable length."""
    if not isinstance(source, str):
        got = "null" if source is None or source is pd.NA or source != source else f"{type(source).__name__} {source!r}"
        raise refusal(f"row {row}: {SOURCE_COLUMN} must be a text, got {got}")
    if len(source) > max_characters:
        raise refusal(
            f"row {row}: {SOURCE_COLUMN} must be at most {max_characters} characters, got {len(source)} "
            f"({MAX_CHARACTERS_VARIABLE} sets the limit)"
        )
    try:
        source.encode("utf-8")
    except UnicodeEncodeError as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN} must be valid Unicode, got half a surrogate pair at {error.start}") from None


def read_options(params: Mapping[str, Any] | None, defaults: Mapping[str, Any]) -> DecodingOptions:
    """The decoding options of a request.

    Args:
        params: of the request; MLflow has filled in the defaults of the model's params schema.
        defaults: the options that the model was evaluated with.

    Raises:
        MlflowException: a value is out of range.
    """
    values = dict(defaults) | dict(params or {})
    for name, (low, high) in BOUNDS.items():
        value = values.get(name, low)
        if not (math.isfinite(value) and low <= value <= high):
            raise refusal(f"params.{name}: must be from {low:g} to {high:g}, got {value!r}")
    return DecodingOptions(
        beam_size=int(values["beam_size"]),
        length_penalty=float(values["length_penalty"]),
        max_length_ratio=float(values["max_length_ratio"]),
        max_length_offset=int(values["max_length_offset"]),
        max_length=int(values.get("max_length", 0)) or None,
    )
