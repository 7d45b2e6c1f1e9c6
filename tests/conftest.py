"""What holds for every test."""

from __future__ import annotations

import signal

# A script's background job starts with SIGINT ignored, and so would every command that a test starts and means to interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
