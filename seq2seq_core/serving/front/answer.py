"""Answers to requests, and the cleaning of MLflow's: no stack trace and no path of the server leaves it."""

from __future__ import annotations

import json
import logging
import re
import site
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

JSON_TYPE, TEXT_TYPE = "application/json", "text/plain; charset=utf-8"
INVALID, BUSY, INTERNAL = "INVALID_PARAMETER_VALUE", "TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR"
"""Codes of errors, as in MLflow's answers."""
MAX_MESSAGE_CHARACTERS = 2000

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        status: of HTTP.
        body: its content.
        content_type: the type of the content.
        headers: further headers.
    """

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)


class RefusedRequest(Exception):
    """A request that gets an error.

    Args:
        status: of HTTP.
        message: what is wrong, and what was expected.
        headers: further headers of the answer.
        code: the code of the error; empty: by the status.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.headers, self.code = status, message, headers or {}, code

    @property
    def answer(self) -> Answer:
        """The answer that says so."""
        code = self.code or (BUSY if self.status == 503 else INTERNAL if self.status >= 500 else INVALID)
        return as_json({"error_code": code, "message": self.message}, self.status, self.headers)


def as_json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """An answer of JSON.

    Args:
        content: what JSON can hold.
        status: of HTTP.
        headers: further headers.
    """
    return Answer(status, json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"), JSON_TYPE, headers or {})


def answer_of(error: Any) -> Answer:
    """MLflow's answer to one of its errors.

    Args:
        error: an ``MlflowException``.
    """
    return Answer(error.get_http_status_code(), error.serialize_as_json().encode())


def clean(answer: Answer, request_id: str) -> Answer:
    """An answer of MLflow as it may leave the server.

    Args:
        answer: MLflow's.
        request_id: of the request, by which the log has what is kept back.
    """
    if answer.status < 400:
        return answer
    try:
        content = json.loads(answer.body)
    except ValueError:
        content = None
    message = str(content.get("message", "")) if isinstance(content, dict) else answer.body.decode("utf-8", "replace")
    if answer.status == 503:
        return RefusedRequest(503, _last_part(message), answer.headers).answer
    if answer.status >= 500:
        logger.error("request %s failed: %s", request_id, message)
        return RefusedRequest(500, f"the request failed; the server's log has the reason (request {request_id})").answer
    if not isinstance(content, dict):
        return Answer(answer.status, _without_paths(message).encode(), answer.content_type, answer.headers)
    cleaned = {
        "error_code": content.get("error_code", INVALID),
        "message": _without_paths(_last_part(message))[:MAX_MESSAGE_CHARACTERS],
    }
    if "detail" in content:  # FastAPI's own answers, such as that of an unknown path
        cleaned = {"detail": content["detail"]}
    return as_json(cleaned, answer.status, answer.headers)


def _last_part(message: str) -> str:
    """The reason at the end of MLflow's message, which repeats the request before it."""
    return message.rpartition("\nError: ")[2]


def _without_paths(message: str) -> str:
    return _places().sub("…", message)


def _places() -> re.Pattern[str]:
    """Paths of this server."""
    roots = {sys.prefix, sys.base_prefix, tempfile.gettempdir(), str(Path.cwd()), str(Path.home()), *site.getsitepackages()}
    known = sorted((root for root in roots if len(root) > 1), key=len, reverse=True)
    return re.compile("(?:" + "|".join(map(re.escape, known)) + r")[^\s'\",)]*")
