"""The columns of a request, whatever form its caller chose: a text, texts, an array, a dictionary of lists, a data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from seq2seq_core.config.serving.request_limits import LONE_COLUMN

SOURCE_COLUMN = "source"
Columns = Mapping[str, Sequence[Any]]
"""The values of each column, by name; all of one length."""


def refusal(reason: str) -> MlflowException:
    """The error for a response of status 400.

    Args:
        reason: the fault, its place, and what was expected.
    """
    return MlflowException(reason, error_code=INVALID_PARAMETER_VALUE)


def read_columns(given: object) -> Columns:
    """The columns of a request.

    Args:
        given: a text, a list or one-dimensional array of texts (sources), a list of rows, a mapping of columns, or a data frame.

    Raises:
        MlflowException: it is something else, or its columns are not of one length.
    """
    match given:
        case pd.DataFrame():
            columns = _columns_of_frame(given)
        case pd.Series():
            columns = {SOURCE_COLUMN: given.tolist()}
        case np.ndarray():
            columns = {SOURCE_COLUMN: _texts_of_array(given)}
        case Mapping():
            columns = {str(name): _as_list(values) for name, values in given.items()}
        case list() | tuple() if given and all(isinstance(row, Mapping) for row in given):
            names = dict.fromkeys(str(name) for row in given for name in row)
            columns = {name: [row.get(name) for row in given] for name in names}
        case list() | tuple():
            columns = {SOURCE_COLUMN: list(given)}
        case _:
            columns = {SOURCE_COLUMN: [given]}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise refusal(f"expected columns of one length, got {', '.join(f'{name}: {size}' for name, size in lengths.items())}")
    return columns


def _columns_of_frame(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """The columns of a frame. MLflow makes one row of lists out of a mapping of lists, which is taken apart again."""
    names: list[object] = list(frame.columns)
    if len(set(map(str, names))) < len(names):
        raise refusal(f"expected each column once, got {[str(name) for name in names]}")
    if SOURCE_COLUMN not in names and LONE_COLUMN in names:
        frame = frame.rename(columns={LONE_COLUMN: SOURCE_COLUMN})
    columns = {str(name): frame[name].tolist() for name in frame.columns}
    cell = columns.get(SOURCE_COLUMN)
    if cell is not None and len(cell) == 1 and isinstance(cell[0], list | tuple | np.ndarray):
        return {name: _as_list(values[0]) for name, values in columns.items()}
    return columns


def _texts_of_array(array: np.ndarray[Any, Any]) -> list[Any]:
    """The texts of an array without axes, of one axis, or of one column."""
    if array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 1):
        raise refusal(f"expected an array of texts of one axis, got the shape {array.shape}")
    return list(array.reshape(-1).tolist())


def _as_list(values: Any) -> list[Any]:
    """The values of a column; a single one is a column of one row."""
    if isinstance(values, np.ndarray):
        return _texts_of_array(values)
    return list(values) if isinstance(values, list | tuple | pd.Series) else [values]
