"""The output of a server that this process has started, passed on line by line without secrets."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TextIO

from seq2seq_core.redaction.redactor import redact

LAST_LINES_SECONDS = 5.0
"""Longest wait for the last lines of a server that has ended."""


@contextmanager
def relayed_output(server: subprocess.Popen[bytes]) -> Iterator[None]:
    """Passes on a server's lines for the ``with`` block, after which the server must have ended.

    Args:
        server: started with pipes for standard output and standard error.
    """
    assert server.stdout is not None
    assert server.stderr is not None
    pairs = ((server.stdout, sys.stdout), (server.stderr, sys.stderr))
    threads = [threading.Thread(target=_relay, args=pair, name="relay", daemon=True) for pair in pairs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(LAST_LINES_SECONDS)


def _relay(source: IO[bytes], target: TextIO) -> None:
    """Writes each line without secrets; a reader that is gone does not stop the server."""
    is_heard = True
    with source:
        for line in source:
            try:
                if is_heard:
                    target.write(redact(line.decode("utf-8", "replace")))
                    target.flush()
            except (BrokenPipeError, ValueError):
                is_heard = False
