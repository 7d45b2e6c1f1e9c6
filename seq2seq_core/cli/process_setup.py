"""Makes the process of a command independent of odd environments, which would end in tracebacks of libraries."""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from seq2seq_core.proxies import exempt_loopback
from seq2seq_core.redaction.text_exits import install_redaction

TIME_ZONE_MARK = b"TZif"
"""The first bytes of a file that describes a time zone (RFC 8536)."""
FEW_COLLECTIONS = (50_000, 10, 10)
"""Python's default, (700, 10, 10), looks a thousand times for garbage while libraries load: a fifth of the start of `s2s train`."""


def set_up_process() -> None:
    """Prepares this process and those that it starts; called before other modules of the project are used."""
    _keep_docstrings()
    gc.set_threshold(*FEW_COLLECTIONS)
    # Python searches all objects for garbage while it ends, although all memory goes with the process: a fifth of `s2s evaluate`.
    # What is registered first runs last, behind everything that still closes files or sends records.
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows its code point
            stream.reconfigure(errors="backslashreplace")
    install_redaction()  # also for what Typer itself says, and for a last traceback
    zone = os.environ.get("TZ", "")
    if zone and not _is_time_zone(zone):
        sys.stderr.write(f"warning: TZ: must name a time zone such as Europe/Berlin, got {zone!r}; times are shown in UTC\n")
        os.environ["TZ"] = "UTC"
        time.tzset()
    # Threads that spin while they wait take the cores from the thread that works: on a busy machine, training took 2.5 to 3
    # times as long. The variable must be set before PyTorch is loaded. It changes no result.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    exempt_loopback()


def _keep_docstrings() -> None:
    """Starts this command again if Python was told to drop docstrings (``-OO``): ``--help`` and Great Expectations need them."""
    if sys.flags.optimize > 1 and os.environ.get("PYTHONOPTIMIZE") != "1":
        words = [word for word in sys.orig_argv[1:] if word not in ("-O", "-OO")]
        os.execve(sys.executable, [sys.executable, *words], {**os.environ, "PYTHONOPTIMIZE": "1"})


def _is_time_zone(text: str) -> bool:
    """Whether a value of ``TZ`` is a name of the time zone database, or the path of a file of it."""
    name = text.removeprefix(":")
    try:
        if Path(name).is_absolute():
            with Path(name).open("rb") as file:
                return file.read(len(TIME_ZONE_MARK)) == TIME_ZONE_MARK
        ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        return False
    return True
