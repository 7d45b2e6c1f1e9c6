"""Waiting for something that another process does: fails when it never comes, and asserts nothing about how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

LONGEST_PAUSE_SECONDS = 1.0
SHARE_OF_LOOKS = 0.1
"""Most of the waiting time that goes into looks: a request to a server or a list of all processes keeps a core busy."""


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 300.0, pause: float = 0.05) -> None:
    """Looks again and again, after pauses of at least ``pause`` seconds and longer ones behind looks that take long."""
    deadline = time.monotonic() + seconds
    started = time.monotonic()
    while not holds():
        looked = time.monotonic() - started
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(max(pause, min(looked / SHARE_OF_LOOKS, LONGEST_PAUSE_SECONDS)))
        started = time.monotonic()


def lives(process: psutil.Process) -> bool:
    """Whether a process has not ended, also where nobody has noticed its end yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended while it was asked
        return False
