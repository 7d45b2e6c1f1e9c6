"""A signal ends a statement of the database that takes long, and the handler's own exception comes out."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import NoReturn

import pytest

from seq2seq_core.corpus.rows.store_opening import open_row_store
from seq2seq_core.errors import Interrupted

SLOW = "SELECT count(*) FROM range(1000000000000) numbers(number) WHERE number % 7 = 3"


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted("stopped")


@pytest.mark.parametrize(
    ("number", "handler", "expected"),
    [(signal.SIGINT, signal.default_int_handler, KeyboardInterrupt), (signal.SIGTERM, _terminate, Interrupted)],
)
@pytest.mark.parametrize("is_swallowed", [False, True])
def test_a_signal_ends_a_slow_statement(
    tmp_path: Path, number: signal.Signals, handler: signal._HANDLER, expected: type[BaseException], is_swallowed: bool
) -> None:
    before = signal.signal(number, handler)
    sender = threading.Timer(0.3, os.kill, (os.getpid(), number))
    sender.start()
    try:
        with pytest.raises(expected), open_row_store(tmp_path, "256 MB") as store:
            try:
                store.fetch(SLOW)
            except Exception:
                if not is_swallowed:  # as Great Expectations does
                    raise
    finally:
        sender.join()
        signal.signal(number, before)
    assert signal.set_wakeup_fd(-1) == -1
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
