"""The training state of a stage on a worker: fetched before it starts, sent from time to time while it runs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from flows.dvc.command import Dvc
from flows.dvc.remote_place import RemoteAddress, default_remote, open_place
from flows.machines.state_store import StateStore
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.runtime import PoolSettings
from seq2seq_core.console import Logger
from seq2seq_core.errors import first_line

STAGE = "train"
"""The stage whose state is carried, also as ``train@ITEM``."""
STATE_FOLDER = "s2s_training_state"
NAMES_MODULE = "seq2seq_core.cli.training_names"
"""Prints the names of the training states that ``s2s train`` would go on from: it reads PyTorch, which this process does not."""


@contextmanager
def carried_state(stage: str, dvc: Dvc, paths: Paths, settings: PoolSettings, logger: Logger) -> Iterator[Callable[[], None]]:
    """Carries the training state of a stage, for the ``with`` block; gives a function to call once its outputs are in the remote.

    Where the store cannot be reached, a warning says so, and the training goes on: only a lost worker would cost more.

    Args:
        stage: the stage's name; others than ``train`` have no state.
        dvc: of the workspace.
        paths: the workspace.
        settings: where the states are, and how often they are sent.
        logger: receives warnings.
    """
    store = _open_store(paths, settings, logger) if stage.partition("@")[0] == STAGE else None
    if store is None:
        yield lambda: None
        return
    _try("fetched", lambda: _fetch(store, dvc, paths, logger), logger)
    sender = _Sender(store, paths, settings.state_every_seconds, logger)
    with sender:
        yield sender.finish


class _Sender:
    """Sends changed training states from a thread.

    Args:
        store: where to.
        paths: the workspace.
        every_seconds: time between two looks.
        logger: receives warnings.
    """

    def __init__(self, store: StateStore, paths: Paths, every_seconds: float, logger: Logger) -> None:
        self.store, self.paths, self.every_seconds, self.logger = store, paths, every_seconds, logger
        self._started = time.time()
        self._over = threading.Event()
        self._is_finished = False
        self._thread = threading.Thread(target=self._run, name="training-state", daemon=True)

    def __enter__(self) -> _Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if not self._is_finished:
            self._send()  # what a stopped training has saved last

    def finish(self) -> None:
        """Removes the states from the store: the outputs of the finished stage are in the remote."""
        self._over.set()
        self._thread.join()
        self._is_finished = True
        for folder in self._changed():
            _try("removed", lambda name=folder.name: self.store.remove(name), self.logger)  # type: ignore[misc]

    def _run(self) -> None:
        while not self._over.wait(self.every_seconds):
            self._send()

    def _send(self) -> None:
        for folder in self._changed():
            _try("sent", lambda folder=folder: self.store.push(folder), self.logger)  # type: ignore[misc]

    def _changed(self) -> list[Path]:
        """The states that this run has written to."""
        if not self.paths.training_state.is_dir():
            return []
        folders = [folder for folder in self.paths.training_state.iterdir() if folder.is_dir()]
        return [folder for folder in folders if folder.stat().st_mtime >= self._started]


def _fetch(store: StateStore, dvc: Dvc, paths: Paths, logger: Logger) -> None:
    """Brings the states that the training would go on from, where the store has them."""
    stored = store.names()
    if not stored:
        return
    command = [sys.executable, "-P", "-m", NAMES_MODULE, str(paths.root)]
    named = subprocess.run(command, cwd=paths.root, env=dvc.environment(), capture_output=True, text=True, check=True)
    for name in named.stdout.split():
        if name in stored and store.fetch(name, paths.training_state):
            logger.info("fetched the training state %s of another machine", name)


def _open_store(paths: Paths, settings: PoolSettings, logger: Logger) -> StateStore | None:
    """The store of the training states; None, with a warning, where there is none."""
    remote = default_remote(paths.root)
    if settings.state_url:
        options = remote.options if remote else {}
        address: RemoteAddress | None = RemoteAddress("", settings.state_url, options)
    else:
        address = replace(remote, url=f"{remote.url.rstrip('/')}/{STATE_FOLDER}") if remote else None
    if address is None:
        logger.warning("no default DVC remote: the training state stays on this machine (`s2s remote add NAME URL --default`)")
        return None
    opened: list[StateStore] = []
    _try("reached", lambda: opened.append(StateStore(*open_place(address))), logger)
    return opened[0] if opened else None


def _try(what: str, act: Callable[[], object], logger: Logger) -> None:
    """Acts; a failure of the store, of whatever kind, is a warning."""
    try:
        act()
    except subprocess.CalledProcessError as error:
        logger.warning("the training state cannot be %s: %s", what, error.stderr.strip().rpartition("\n")[2])
    except Exception as error:  # noqa: BLE001 - each kind of store has errors of its own, and the training does not need it
        logger.warning("the training state cannot be %s: %s: %s", what, type(error).__name__, first_line(error))
