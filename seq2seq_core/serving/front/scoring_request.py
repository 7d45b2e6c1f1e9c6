"""Requests to ``/invocations`` in every form that MLflow's server takes, checked before MLflow sees them.

MLflow reads null as a text, ignores parameters that it does not know, and answers some requests with stack traces. So requests are
read here, and passed on in one form that it reads exactly: ``dataframe_split``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException

from seq2seq_core.decoding.phrases.wanted_phrases import MAX_CHARACTERS, MAX_ENTRIES, PHRASE_PARAMS
from seq2seq_core.json_text import JsonError, parse_object, shorten
from seq2seq_core.serving.front.answer import RefusedRequest
from seq2seq_core.serving.front.value_count import CSV_MARKS, JSON_MARKS, MAX_VALUES_PER_ROW, has_more_values
from seq2seq_core.serving.request_columns import SOURCE_COLUMN, Columns, read_columns

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
FORMS, PARAMS = ("dataframe_split", "dataframe_records", "inputs", "instances"), "params"

MOST_NAMED = 10
"""Columns of a request that a refusal names."""


@dataclass(frozen=True)
class ScoringRequest:
    """A request that was read.

    Attributes:
        columns: its columns, of one length.
        params: its parameters, all known by name.
    """

    columns: Columns
    params: Mapping[str, Any]

    def to_body(self, names: Collection[str]) -> bytes:
        """The body of the same request for MLflow.

        Args:
            names: the columns that the model reads; others are left out.

        Raises:
            RefusedRequest: with status 400: the column of sources is missing.
        """
        if SOURCE_COLUMN not in self.columns:
            given = [shorten(name) for name in self.columns][:MOST_NAMED]
            raise RefusedRequest(400, f"expected the column {SOURCE_COLUMN!r}, got {given}")
        kept = [name for name in self.columns if name in names]
        rows = list(zip(*(self.columns[name] for name in kept), strict=True))
        return json.dumps({"dataframe_split": {"columns": kept, "data": rows}, PARAMS: self.params}).encode()


def check_content_type(value: str) -> str:
    """The type of a body that the server can read.

    Args:
        value: of the header; empty: there is none.

    Raises:
        RefusedRequest: the type is missing, or is another one.
    """
    kind, _, parameters = value.partition(";")
    charset = next(
        (one.partition("=")[2].strip('" ') for one in parameters.split(";") if one.strip().lower()[:8] == "charset="), ""
    )
    if kind.strip().lower() not in (JSON, CSV, PARQUET) or charset.lower() not in ("", "utf-8", "utf8"):
        got = repr(value) if value else "nothing"
        raise RefusedRequest(415, f"expected the Content-Type {JSON}, {CSV} or {PARQUET}, in UTF-8; got {got}")
    return kind.strip().lower()


def read_request(body: bytes, content_type: str, known: Collection[str], max_rows: int) -> ScoringRequest:
    """A request to ``/invocations``.

    Args:
        body: its body.
        content_type: made by :func:`check_content_type`.
        known: the parameters that the model has.
        max_rows: most rows of a request, by which the number of its values is bounded before it is parsed.

    Raises:
        RefusedRequest: with status 400 and what was expected.
    """
    try:
        if content_type == PARQUET:
            return ScoringRequest(_read_parquet(body, max_rows), {})
        text = body.decode("utf-8")
        if has_more_values(text, CSV_MARKS if content_type == CSV else JSON_MARKS, most := MAX_VALUES_PER_ROW * max_rows):
            raise RefusedRequest(400, f"expected at most {most} values, got more (serve.limits.max_rows sets the limit)")
        return ScoringRequest(_read_csv(text), {}) if content_type == CSV else _read_json(text, known)
    except UnicodeDecodeError as error:
        raise RefusedRequest(400, f"the body must be UTF-8, got another byte at {error.start}") from None
    except MlflowException as error:
        raise RefusedRequest(400, str(error.message)) from None


def _read_json(text: str, known: Collection[str]) -> ScoringRequest:
    try:
        content = parse_object(text)
    except JsonError as error:
        raise RefusedRequest(400, f"the body must be a JSON object, got something else: {error}") from None
    given = [name for name in FORMS if name in content]
    if unknown := [name for name in content if name not in (*FORMS, PARAMS)]:
        raise RefusedRequest(400, f"expected one of {', '.join(FORMS)}, and {PARAMS}; got the unknown name {unknown[0]!r}")
    if len(given) != 1:
        raise RefusedRequest(400, f"expected exactly one of {', '.join(FORMS)}; got {' and '.join(given) or 'none'}")
    params = read_params(content.get(PARAMS), known)
    value = content[given[0]]
    match given[0]:
        case "dataframe_split":
            return ScoringRequest(_read_split(value), params)
        case "dataframe_records" if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise RefusedRequest(400, "dataframe_records must be a list of objects")
        case _:
            return ScoringRequest(_check_cells(read_columns(value)), params)


def _check_cells(columns: Columns) -> Columns:
    """The columns, in none of which a cell is a list or an object."""
    for name, values in columns.items():
        for row, value in enumerate(values):
            if isinstance(value, list | dict):
                raise RefusedRequest(400, f"row {row}: {name} must be a text, got {type(value).__name__}")
    return columns


def read_params(params: Any, known: Collection[str]) -> dict[str, Any]:
    """The parameters of a request; none where there is no object of them.

    Args:
        params: what the request has under that name.
        known: the parameters of the model.

    Raises:
        RefusedRequest: with status 400.
    """
    if params is None:
        return {}
    if not isinstance(params, dict):
        raise RefusedRequest(400, f"{PARAMS} must be an object, got {type(params).__name__}")
    if unknown := [name for name in params if name not in known]:
        raise RefusedRequest(400, f"{PARAMS}.{shorten(unknown[0])}: unknown; the model has {', '.join(known)}")
    for name in PHRASE_PARAMS:
        check_list(name, params.get(name, []))
    return params


def check_list(name: str, given: Any) -> None:
    """Refuses what is no list of texts, or texts so long that MLflow's table of them would fill the memory.

    Args:
        name: of the parameter.
        given: its value.

    Raises:
        RefusedRequest: with status 400.
    """
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise RefusedRequest(400, f"{PARAMS}.{name}: must be a list of texts, got {shorten(json.dumps(given))}")
    if len(given) > MAX_ENTRIES:
        raise RefusedRequest(400, f"{PARAMS}.{name}: must have at most {MAX_ENTRIES} texts, got {len(given)}")
    if too_long := [one for one in given if len(one) > 2 * MAX_CHARACTERS + 1]:
        raise RefusedRequest(
            400, f"{PARAMS}.{name}: {shorten(too_long[0])!r} must be at most {MAX_CHARACTERS} characters, got {len(too_long[0])}"
        )


def _read_split(value: Any) -> Columns:
    """The columns of ``dataframe_split``."""
    names, rows = (value.get("columns"), value.get("data")) if isinstance(value, dict) else (None, None)
    if not isinstance(names, list) or not isinstance(rows, list) or not all(isinstance(name, str) for name in names):
        raise RefusedRequest(400, "dataframe_split must be an object of columns, a list of names, and data, a list of rows")
    if len(set(names)) < len(names):
        raise RefusedRequest(400, "dataframe_split.columns must have each name once")
    for place, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            got = f"one of {len(row)}" if isinstance(row, list) else type(row).__name__
            raise RefusedRequest(400, f"dataframe_split.data: row {place} must be a list of {len(names)} values, got {got}")
    return _check_cells({name: [row[place] for row in rows] for place, name in enumerate(names)})


def _read_csv(text: str) -> Columns:
    try:
        names, *rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row] or [[]]
    except csv.Error as error:
        raise RefusedRequest(400, f"the body must be CSV with a line of names, got something else: {error}") from None
    return _read_split({"columns": names, "data": rows})


def _read_parquet(body: bytes, max_rows: int) -> Columns:
    from seq2seq_core.serving.front.parquet_request import read_parquet

    return read_columns(read_parquet(body, max_rows))
