"""The end of a search from outside: a server asks for it when a request's time is over, or its client has left."""

from __future__ import annotations

from collections.abc import Callable

from seq2seq_core.errors import DecodingStopped

Stop = Callable[[], bool]
"""Whether a search must stop; it is asked before the sources are encoded and before every step."""


def check_stop(stop: Stop | None) -> None:
    """Raises DecodingStopped if a search must stop.

    Args:
        stop: asked; None: nothing stops the search.
    """
    if stop is not None and stop():
        raise DecodingStopped("the search was stopped before its hypotheses were complete")
