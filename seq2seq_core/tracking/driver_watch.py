"""Ends a stage whose ``dvc`` was killed: DVC would never record its outputs, and the stage would hold its state's lock."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from seq2seq_core.tracking.background_thread import run_beside

LOOK_EVERY_SECONDS, GRACE_SECONDS = 1.0, 6.0
"""Time between two checks, and from SIGTERM to SIGKILL. Their sum is well below the ten seconds in which a stage must end."""

logger = logging.getLogger(__name__)


@contextmanager
def stop_without_driver() -> Iterator[None]:
    """Sends this process SIGTERM, then SIGKILL, if the ``dvc`` that started it ends during the ``with`` block.

    Does nothing outside a DVC stage, or where psutil is not installed.
    """
    if "DVC_STAGE" not in os.environ or find_spec("psutil") is None:
        yield
        return
    from seq2seq_core.tracking.process_identity import dvc_ancestor

    driver = dvc_ancestor()
    if driver is None and not _is_orphan():  # DVC is used as a library
        yield
        return

    def watch(is_over: threading.Event) -> None:
        while not is_over.wait(LOOK_EVERY_SECONDS):
            if driver is None or not driver.is_alive():
                logger.warning("dvc, which started this stage, is gone: the stage stops")
                os.kill(os.getpid(), signal.SIGTERM)
                if not is_over.wait(GRACE_SECONDS):
                    os.kill(os.getpid(), signal.SIGKILL)  # safe: files on disk are complete at every moment
                return

    with run_beside(watch, "driver-watch"):
        yield


def _is_orphan() -> bool:
    """Whether the parent of this process is dead: orphans become children of process 1 or of the user's systemd."""
    import psutil

    parent = psutil.Process(os.getpid()).parent()
    return parent is None or parent.pid == 1 or parent.name() == "systemd"
