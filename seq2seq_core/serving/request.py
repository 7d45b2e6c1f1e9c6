"""Validation of requests to a served model; an invalid request is refused with a reason.

MLflow's scoring server answers an ``MlflowException`` of code ``INVALID_PARAMETER_VALUE`` with status 400.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import ValidationError

from seq2seq_core.config.decoding_options import DecodingOptions, offered_options
from seq2seq_core.config.section import describe_fault
from seq2seq_core.config.serving.request_limits import RequestLimits
from seq2seq_core.decoding.phrases.row_phrases import RowPhrases
from seq2seq_core.decoding.phrases.wanted_phrases import FORBID, FORCE, GLOSSARY, PHRASE_PARAMS, PhraseError, Phrases, parse_entries
from seq2seq_core.json_text import shorten
from seq2seq_core.serving.request_columns import SOURCE_COLUMN, Columns, refusal


def read_sources(columns: Columns, limits: RequestLimits, max_characters: int = 0, limit: str = "max_characters") -> list[str]:
    """The sources of a request.

    Args:
        columns: the request, with a text in each row of the column ``source``.
        limits: of rows and characters.
        max_characters: maximum number of characters (Unicode code points) of a source; 0: that of the limits.
        limit: the name of this limit, for messages.

    Raises:
        MlflowException: the request is invalid; the message names the row (from 0) and what was expected.
    """
    if SOURCE_COLUMN not in columns:
        raise refusal(f"expected the column {SOURCE_COLUMN!r}, got {list(columns)}")
    sources = list(columns[SOURCE_COLUMN])
    if not 1 <= len(sources) <= limits.max_rows:
        place = limits.place_of("max_rows")
        raise refusal(f"expected 1 to {limits.max_rows} rows, got {len(sources)} ({place} sets the limit)")
    for row, source in enumerate(sources):
        _check_source(source, row, max_characters or limits.max_characters, limits.place_of(limit))
    return sources


def read_tags(columns: Columns, names: Sequence[str], num_rows: int) -> list[dict[str, str]]:
    """The tags of each row of a request; missing tags are left out: the predictor's error lists the known values.

    Args:
        columns: the request.
        names: the tag columns.
        num_rows: the rows of the request.

    Raises:
        MlflowException: a tag is not a text; the message names the row (from 0).
    """
    rows: list[dict[str, str]] = [{} for _ in range(num_rows)]
    for name in names:
        for row, value in enumerate(columns.get(name, ())):
            if isinstance(value, str):
                rows[row][name] = value
            elif not _is_null(value):
                raise refusal(f"row {row}: {name} must be a text, got {_describe(value)}")
    return rows


def _is_null(value: object) -> bool:
    """Whether a cell is empty: None, ``pandas.NA`` or NaN."""
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _fits(value: object, kind: type) -> bool:
    """Whether a value can stand for one of a kind: a whole number also for a number, and written with a decimal point."""
    if isinstance(value, bool) or kind in (bool, str):
        return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
    return isinstance(value, int) or (isinstance(value, float) and (kind is float or value.is_integer()))


def _describe(value: object) -> str:
    """A value that is no text, for messages."""
    return "null" if _is_null(value) else f"{type(value).__name__} {shorten(repr(value))}"


def _check_source(source: object, row: int, max_characters: int, place: str) -> None:
    """Checks that a source is a valid text within the length limit."""
    if not isinstance(source, str):
        raise refusal(f"row {row}: {SOURCE_COLUMN} must be a text, got {_describe(source)}")
    if len(source) > max_characters:
        raise refusal(
            f"row {row}: {SOURCE_COLUMN} must be at most {max_characters} characters, got {len(source)} ({place} sets the limit)"
        )
    try:
        source.encode("utf-8")
    except UnicodeEncodeError as error:
        raise refusal(f"row {row}: {SOURCE_COLUMN} must be valid Unicode, got half a surrogate pair at {error.start}") from None


def read_options(params: Mapping[str, Any] | None, defaults: DecodingOptions, num_hypotheses: int | None = None) -> DecodingOptions:
    """The decoding options of a request.

    Args:
        params: the request's parameters; MLflow has added the defaults of the model's params schema.
        defaults: the model's options, for those that are still missing.
        num_hypotheses: hypotheses of each source, where the answer has room for several; None: those of the model's options.

    Raises:
        MlflowException: a value is out of range, or conflicts with another one.
    """
    given = dict(params or {})
    wanted: dict[str, Any] = {} if num_hypotheses is None else {"num_hypotheses": num_hypotheses}
    for option in offered_options():
        if not option.offer.in_requests or option.name not in given:
            continue
        value = given[option.name]
        if not _fits(value, option.kind):
            raise refusal(f"params.{option.name}: must be of the type {option.kind.__name__}, got {_describe(value)}")
        if fault := option.range_fault(value):
            raise refusal(f"params.{option.name}: {fault}")
        wanted[option.name] = option.kind(value)
    try:
        return defaults.override(**wanted)
    except ValidationError as error:
        fault = describe_fault(error.errors()[0])
        is_conflict = not error.errors()[0]["loc"]
        raise refusal(f"params: {fault}" if is_conflict else f"params.{fault}") from None


def read_phrases(params: Mapping[str, Any] | None) -> Phrases:
    """What a request asks of the wording of its targets.

    Args:
        params: its parameters: lists of texts, those of ``glossary`` with a term, a TAB and its target each.

    Raises:
        MlflowException: a list is none, or an entry of the glossary is something else.
    """
    lists = {}
    for name in PHRASE_PARAMS:
        given = (params or {}).get(name)
        if given is not None and not isinstance(given, list | tuple):
            raise refusal(f"params.{name}: must be a list of texts, got {_describe(given)}")
        lists[name] = tuple(given or ())
    try:
        return Phrases(lists[FORCE], lists[FORBID], parse_entries(lists[GLOSSARY]))
    except PhraseError as error:
        raise refusal(f"params.{error}") from None


def request_cost(lengths: Sequence[int], options: DecodingOptions, phrases: Sequence[RowPhrases | None] = ()) -> int:
    """The target tokens that a search may compute for a request: the sum over its rows of hypotheses × length limit.

    Args:
        lengths: the source's tokens or frames of each row; 0 for a source without text, which costs nothing.
        options: the decoding options.
        phrases: of each row, the phrases, which can make a search wider and longer, and its steps slower; None: none.
    """
    costs = [
        _row_cost(length, options, row) for length, row in zip(lengths, phrases or [None] * len(lengths), strict=True) if length
    ]
    return sum(math.ceil(hypotheses * tokens * work) for hypotheses, tokens, work in costs)


def _row_cost(length: int, options: DecodingOptions, row: RowPhrases | None) -> tuple[int, int, float]:
    """The hypotheses of a row, the most tokens of each, and the work of a token."""
    limit = options.length_limit(length)
    return (options.rows_per_source, limit, 1) if row is None else (row.width(options), row.limit(limit, options), row.work)


def check_cost(
    lengths: Sequence[int], options: DecodingOptions, limits: RequestLimits, phrases: Sequence[RowPhrases | None] = ()
) -> None:
    """Refuses a request that may cost too much.

    Args:
        lengths: as in :func:`request_cost`.
        options: the decoding options.
        limits: of the cost.
        phrases: as in :func:`request_cost`.

    Raises:
        MlflowException: the message has the figure, what it is made of, and the limit.
    """
    cost = request_cost(lengths, options, phrases)
    if cost > limits.max_cost:
        rows = zip(lengths, phrases or [None] * len(lengths), strict=True)
        most = [max(figures) for figures in zip(*(_row_cost(length, options, row) for length, row in rows), strict=True)]
        slower = f" × {most[2]:.1f} for its phrases" if most[2] > 1 else ""
        fewer = ", phrases that are forced" if any(row is not None and row.forced for row in phrases) else ""
        raise refusal(
            f"the request may cost {cost} target tokens ({len(lengths)} rows × {most[0]} hypotheses × up to "
            f"{most[1]} tokens{slower}), expected at most {limits.max_cost}: ask for fewer rows{fewer}, fewer hypotheses "
            f"(beam_size) or shorter ones (max_length) ({limits.place_of('max_cost')} sets the limit)"
        )
