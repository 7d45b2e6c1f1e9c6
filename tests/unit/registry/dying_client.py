"""An MLflow client whose user dies between two calls."""

from __future__ import annotations

from typing import Any

READS = ("get_", "search_")
"""Beginnings of the names of calls that change nothing."""


class Killed(BaseException):
    """The user of the client dies here."""


class DyingClient:
    """An MLflow client whose user dies at the moment of the given number: right before a write, or right behind one.

    Between two reads a death leaves what it leaves at one of these moments.

    Args:
        client: the real one.
        last_moment: the number, from 0.
    """

    def __init__(self, client: Any, last_moment: int) -> None:
        self._client, self._left, self._has_written = client, last_moment, True

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            is_write = not name.startswith(READS)
            if is_write or self._has_written:
                if self._left == 0:
                    raise Killed
                self._left -= 1
            self._has_written = is_write
            return method(*arguments, **named)

        return call
