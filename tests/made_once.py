"""What is made once in a run of the tests, however many processes of pytest-xdist run them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.file_lock import wait_for_lock

HALF_COMPILED = "*.pyc.*"
"""Pattern of the names of compiled modules that another process is writing; whoever copies a package leaves them out."""


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first process that asks for it makes, while the others wait; to be copied, never changed.

    Args:
        factory: of temporary folders.
        name: of the folder.
        make: fills the empty folder.
    """
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    whole = folder.with_name(f"{name}.whole")
    with wait_for_lock(folder.with_name(f"{name}.lock")):
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder
