"""An MLflow client whose user dies between two calls."""

from __future__ import annotations

from typing import Any


class Killed(BaseException):
    """The user of the client dies here."""


class DyingClient:
    """An MLflow client whose user dies before the call of the given number.

    Args:
        client: the real one.
        last_call: the number, from 0.
    """

    def __init__(self, client: Any, last_call: int) -> None:
        self._client, self._left = client, last_call

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            if self._left == 0:
                raise Killed
            self._left -= 1
            return method(*arguments, **named)

        return call
