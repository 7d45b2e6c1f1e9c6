"""A question to a server that may be away, asked beside other work and waited for only so long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from seq2seq_core.console import format_seconds
from seq2seq_core.errors import first_line

Answer = TypeVar("Answer")


class BoundedQuestion(Generic[Answer]):
    """Asks at once, in a thread that ends with the process.

    Args:
        ask: gives the answer, or raises.
    """

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._answer: Answer | None = None
        self._fault = ""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def answer(self, deadline: float, seconds: float) -> tuple[Answer | None, str]:
        """The answer, and why there is none; empty: there is one.

        Args:
            deadline: until when it is waited for, by ``time.monotonic``.
            seconds: the same as a duration, for the message.
        """
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            return None, f"no answer within {format_seconds(seconds)}"
        return self._answer, self._fault

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        except Exception as error:  # noqa: BLE001 - of whatever kind, it is told as the reason
            self._fault = first_line(error) or type(error).__name__
