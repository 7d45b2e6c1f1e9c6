"""Errors of requests to MLflow: which are temporary, and the HTTP status of each."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

_TRANSIENT_STATUSES = (408, 429, 502, 503, 504)
_KEPT_STATUSES = (401, 403, 404, *_TRANSIENT_STATUSES)
_TOLD_STATUS = re.compile(r"API request to .*? (?:failed with error code|too many) (\d{3})\b", re.DOTALL)
"""MLflow tells the status of an answer that is not its own only in the text."""


def is_temporary(error: BaseException | None) -> bool:
    """Whether an error, or one of its causes, is a temporary error of the network, a server or a database connection.

    Missing credentials count as temporary: a record is kept until they are given. So does the answer of a proxy that misses MLflow.

    Args:
        error: an error of a request to the store.
    """
    from requests import RequestException
    from sqlalchemy.exc import DBAPIError

    while error is not None:
        is_told = isinstance(error, RequestException) or "API request to" in str(error)
        if is_told and 400 <= http_status(error) < 500 and http_status(error) not in _KEPT_STATUSES:
            return False
        if is_told or isinstance(error, (DBAPIError, sqlite3.OperationalError, ConnectionError, TimeoutError)):
            return True
        if http_status(error) in _TRANSIENT_STATUSES:
            return True
        error = error.__cause__ or error.__context__
    return False


def http_status(error: BaseException) -> int:
    """The HTTP status of an error of MLflow or of its HTTP library; 0 for other errors.

    Args:
        error: an error of a request to the store.
    """
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    if isinstance(error, RequestException):
        return error.response.status_code if error.response is not None else 0
    if not isinstance(error, MlflowException):
        return 0
    if told := _TOLD_STATUS.search(str(error)):
        return int(told[1])
    status: Callable[[], int] = error.get_http_status_code
    return status()
