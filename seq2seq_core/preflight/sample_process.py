"""A command of the sample as a process of its own, with what it cost; it ends with the preflight, however that ends."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from seq2seq_core.errors import EnvironmentFault, UserError, describe_full_disk

FOREIGN = (
    "MLFLOW_TRACKING", "MLFLOW_REGISTRY", "MLFLOW_RUN", "MLFLOW_EXPERIMENT", "DVC_STAGE", "DVC_EXP", "DVC_ROOT", "PREFECT_API",
    "PREFECT__", "OPENLINEAGE_", "S2S_FLOW", "RANK", "WORLD_SIZE", "LOCAL_RANK",
)  # fmt: skip
"""Beginnings of variables that lead to the user's servers and runs."""
ENDING_SECONDS = 10.0
SHOWN_LINES = 12


class ProcessTime(NamedTuple):
    """What a process took."""

    seconds: float
    """Its duration, start and end included."""
    cpu_seconds: float
    """Processor time of it and of those that it started."""


def run_process(arguments: Sequence[str], log: Path, what: str) -> ProcessTime:
    """What a command of Python took.

    Args:
        arguments: of the interpreter.
        log: receives what it says.
        what: of the graph it is, for errors.

    Raises:
        UserError: it failed.
        EnvironmentFault: it failed on a full disk.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    started, cpu = time.monotonic(), _cpu_seconds()
    process: subprocess.Popen[bytes] | None = None
    with log.open("wb") as stream:
        try:
            with _interrupts_wait():
                process = subprocess.Popen(
                    [sys.executable, *arguments], stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
                )
            code = process.wait()
        finally:
            if process is not None:
                _end(process)
    if code:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-SHOWN_LINES:]
        if full := describe_full_disk(log.parent):
            raise EnvironmentFault(f"preflight: {what} fails on a sample of the corpus (exit code {code}){full}")
        raise UserError(
            "\n".join([f"{what} fails on a sample of the corpus (exit code {code}), so it would fail on the whole:", *said])
        )
    return ProcessTime(time.monotonic() - started, _cpu_seconds() - cpu)


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block: within the start of a process it would leave one that nobody knows."""
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield
        return
    came = list[tuple[int, FrameType | None]]()
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came and callable(before):
        before(*came[0])


def _cpu_seconds() -> float:
    """Processor time of all processes that were started here and have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
