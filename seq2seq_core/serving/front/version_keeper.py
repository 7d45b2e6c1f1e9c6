"""Keeps the served version: exchanges it when its alias has moved, and starts workers again that have died."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import Seq2SeqError, TrackingUnreachable
from seq2seq_core.registry.versions import find_version
from seq2seq_core.serving.allocator import free_garbage, set_lasting_objects_aside
from seq2seq_core.serving.front.served_version import ServedVersion

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)
TEND_SECONDS = 0.5
TENDS_PER_RETURN = 10
"""How often the version is tended between two returns of freed memory."""
LONGEST_PAUSE = 600.0


class VersionKeeper:
    """Holds the version that answers, and another one once the alias points there and it has proved itself.

    Args:
        reference: ``models:/NAME@ALIAS``, which may move, or ``models:/NAME/VERSION``.
        served: the version that answers at first.
        prepare: makes a registered version ready to answer.
        paths: the workspace, whose registry is asked.
        poll_seconds: time between two looks at the alias; 0: never.
        drain_seconds: time for which an exchanged version goes on with its requests.
        on_exchange: is told of every attempt, and whether it succeeded.
    """

    def __init__(
        self,
        reference: str,
        served: ServedVersion,
        prepare: Callable[[ModelVersion], ServedVersion],
        paths: Paths,
        poll_seconds: float,
        drain_seconds: float,
        on_exchange: Callable[[ServedVersion, bool], None],
    ) -> None:
        self.reference, self.served, self.prepare, self.paths = reference, served, prepare, paths
        self.poll_seconds, self.drain_seconds, self.on_exchange = poll_seconds, drain_seconds, on_exchange
        self._is_stopping = threading.Event()
        self._failed, self._pause, self._retry_at = "", 0.0, 0.0
        self._is_reachable = True
        self._retiring: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._keep, name="versions", daemon=True)

    def start(self) -> None:
        """Begins to look after the version."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Ends the version's workers, after the requests that it has.

        Args:
            seconds: the longest wait for them.
        """
        self._is_stopping.set()
        self.served.close(seconds)

    def _keep(self) -> None:
        follows, next_look = self.poll_seconds > 0 and "@" in self.reference, time.monotonic() + self.poll_seconds
        set_lasting_objects_aside()
        returns = itertools.cycle([True, *[False] * (TENDS_PER_RETURN - 1)])
        while not self._is_stopping.wait(TEND_SECONDS):
            self.served.tend()
            if next(returns):
                free_garbage()
            if any(not thread.is_alive() for thread in self._retiring):
                self._retiring = [thread for thread in self._retiring if thread.is_alive()]
                set_lasting_objects_aside()
            if follows and time.monotonic() >= next_look:
                self._look()
                next_look = time.monotonic() + self.poll_seconds

    def _look(self) -> None:
        """Takes the version to which the alias points, if it is another one."""
        try:
            version = find_version(self.reference, self.paths)
            self._is_reachable = True
        except TrackingUnreachable as error:
            if self._is_reachable:
                logger.warning("cannot see where %s points; version %s goes on: %s", self.reference, self.served.number, error)
            self._is_reachable = False
            return
        except Exception as error:  # noqa: BLE001 - whatever the registry does, the present version goes on
            logger.warning("cannot see where %s points; version %s goes on: %s", self.reference, self.served.number, error)
            return
        number = str(version.version)
        if number == self.served.number:
            self._failed, self._pause = "", 0.0
        elif number != self._failed or time.monotonic() >= self._retry_at:
            self._exchange(version)

    def _exchange(self, version: ModelVersion) -> None:
        """Takes a version in place of the present one if it proves itself; else keeps that one and says why."""
        old = self.served
        try:
            new = self.prepare(version)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new version, the old one goes on
            is_known = self._failed == str(version.version)
            self._pause = min(LONGEST_PAUSE, 2 * self._pause) if is_known else self.poll_seconds
            self._failed, self._retry_at = str(version.version), time.monotonic() + self._pause
            reason = str(error) if isinstance(error, Seq2SeqError) else f"{type(error).__name__}: {error}"
            logger.error("version %s is not taken, version %s goes on: %s", version.version, old.number, reason)
            self.on_exchange(old, False)
            return
        self._failed, self._pause = "", 0.0
        self.served = new
        self.on_exchange(new, True)
        logger.info("version %s of %s answers from now on, in place of version %s", new.number, new.name, old.number)
        retiring = threading.Thread(target=old.close, args=(self.drain_seconds,), name="retired version", daemon=True)
        self._retiring.append(retiring)
        retiring.start()
        if self._is_stopping.is_set():
            new.close(0.0)
