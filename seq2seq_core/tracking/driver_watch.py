"""Ends a stage whose ``dvc`` was killed: nobody would take note of what it goes on to make, and it would hold its state's lock."""

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
"""Time between two looks, and between SIGTERM and SIGKILL: together well below the ten seconds after which nothing is left."""

logger = logging.getLogger(__name__)


@contextmanager
def stop_without_driver() -> Iterator[None]:
    """A ``with`` block in which this process gets SIGTERM, and soon SIGKILL, once the ``dvc`` that started it is gone.

    Without such an ancestor, or where psutil is not installed, nothing is watched.
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
                    os.kill(os.getpid(), signal.SIGKILL)  # what is on the disk is whole at every moment
                return

    with run_beside(watch, "driver-watch"):
        yield


def _is_orphan() -> bool:
    """Whether the parent of this process has died already: orphans go to the first process, or to systemd's of the user."""
    import psutil

    parent = psutil.Process(os.getpid()).parent()
    return parent is None or parent.pid == 1 or parent.name() == "systemd"
