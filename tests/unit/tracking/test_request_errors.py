from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException
from mlflow.utils.rest_utils import verify_rest_response
from requests import HTTPError, Response

from seq2seq_core.tracking.mlflow.request_errors import http_status, is_temporary


def answer(status: int, body: bytes) -> Response:
    response = Response()
    response.status_code, response._content = status, body
    return response


@pytest.mark.parametrize(
    ("status", "body", "is_kept"),
    [
        (413, b"<html>too large</html>", False),
        (400, b"<html>bad</html>", False),
        (502, b"<html>no upstream</html>", True),
        (500, b"<html>error</html>", True),
        (403, b"<html>forbidden</html>", True),
        (404, b"<html>no such service</html>", True),
        (400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "Changing param values is not allowed"}', False),
        (503, b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}', True),
    ],
)
def test_an_answer_of_mlflow_or_of_a_proxy_before_it_is_judged_by_its_status(status: int, body: bytes, is_kept: bool) -> None:
    with pytest.raises(MlflowException) as caught:
        verify_rest_response(answer(status, body), "/api/2.0/mlflow/runs/log-batch")
    assert (http_status(caught.value), is_temporary(caught.value)) == (status, is_kept)


@pytest.mark.parametrize(("status", "is_kept"), [(413, False), (403, True), (500, True)])
def test_an_answer_of_an_artifact_store_is_judged_by_its_status(status: int, is_kept: bool) -> None:
    error = HTTPError("an answer", response=answer(status, b""))
    assert is_temporary(error) == is_kept


def test_retries_that_ended_in_an_error_are_judged_by_its_status() -> None:
    text = "API request to http://mlflow/api failed with exception HTTPConnectionPool(): Max retries exceeded (too many 500 error"
    error = MlflowException(f"{text} responses)")
    assert (http_status(error), is_temporary(error)) == (500, True)
