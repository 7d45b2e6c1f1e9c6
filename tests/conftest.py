"""What holds for every test: signals, one thread, few collections of garbage, and the seed of all that is drawn by chance."""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.artifacts import Paths
from tests.file_order import FileScheduling, place_of
from tests.made_once import made_once

# A script's background job starts with SIGINT ignored, and so would every command that a test starts and means to interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Results hang on it, in the last bits; and several processes of tests run side by side.
torch.set_num_threads(1)

# The libraries and the tests are millions of objects: looking for garbage among them took a third of the collection of tests.
gc.set_threshold(50_000, 10, 10)

SEED_VARIABLE = "S2S_TEST_SEED"


def pytest_configure() -> None:
    """Draws the run's seed, which the processes of pytest-xdist inherit."""
    os.environ.setdefault(SEED_VARIABLE, str(random.SystemRandom().randrange(2**31)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests in the order of their files."""
    items.sort(key=lambda item: place_of(item.nodeid.partition("::")[0]))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileScheduling | None:
    """Spreads files over the processes where `--dist loadfile` asks for that."""
    return FileScheduling(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Leaves all that was loaded out of every later look for garbage."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Leaves all that was loaded out of the look for garbage with which Python ends."""
    gc.freeze()


def pytest_report_header() -> str:
    """Says how to draw the same again."""
    return f"seed of what is drawn by chance: {SEED_VARIABLE}={os.environ[SEED_VARIABLE]} (set it to draw the same again)"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Puts PyTorch back to one thread behind each test."""
    yield
    torch.set_num_threads(1)


def _reset_loggers() -> None:
    """Takes back what the command line configures: its handlers write to the standard error of that moment."""
    for name in ("seq2seq_core", "flows"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


@pytest.fixture(autouse=True)
def loggers_and_signals_as_before() -> Iterator[None]:
    """Undoes what a command in the test's own process changes in that process."""
    _reset_loggers()  # a fixture of a wider scope may have run a command
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    _reset_loggers()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def run_seed() -> int:
    """The run's seed: a new one at each run, or that of the environment."""
    return int(os.environ[SEED_VARIABLE])


@pytest.fixture
def fresh_seed(run_seed: int, request: pytest.FixtureRequest) -> int:
    """The test's own seed, from the run's seed and the test's name; PyTorch draws from it."""
    seed = zlib.crc32(f"{run_seed} {request.node.nodeid}".encode()) >> 1
    print(f"seed {seed}; {SEED_VARIABLE}={run_seed} draws it again")  # noqa: T201
    torch.manual_seed(seed)
    return seed


@pytest.fixture
def fresh_random(fresh_seed: int) -> random.Random:
    """Draws from the test's own seed."""
    return random.Random(fresh_seed)


@pytest.fixture(scope="session")
def prefect_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a migrated, empty Prefect database; making one takes seconds, copying it nothing."""
    from tests.prefect_server import make_database

    return made_once(tmp_path_factory, "prefect_template", make_database)


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty MLflow database; making one takes seconds, copying it nothing."""

    def make(root: Path) -> None:
        from seq2seq_core.tracking.mlflow.store import connect

        with pytest.MonkeyPatch.context() as environment:
            environment.delenv("MLFLOW_TRACKING_URI", raising=False)
            connect(Paths(root))

    return Paths(made_once(tmp_path_factory, "mlflow_template", make)).mlflow_database
