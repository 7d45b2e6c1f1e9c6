"""Sends records to a server in order, from a thread of its own, and keeps them while the server is away."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


@dataclass
class Job:
    """Something to send.

    Attributes:
        name: what it is, for the warning when it could not be sent.
        send: sends it; raises where that fails.
        ready_at: until this moment (``time.monotonic``) it may still grow, unless something follows it or a flush is waiting.
    """

    name: str
    send: Callable[[], object]
    ready_at: float = field(default_factory=time.monotonic)

    def describe(self) -> str:
        """What it is at this moment."""
        return self.name


class BackgroundSender:
    """A queue of jobs and the thread that works it off.

    Args:
        is_transient: whether an error may pass, so that the job is tried again; a job with another error is dropped with a warning.
        explain: an error's reason in one line.
        retry_seconds: pause before a job is tried again.
    """

    def __init__(
        self, is_transient: Callable[[Exception], bool], explain: Callable[[Exception], str] = str, retry_seconds: float = 10.0
    ) -> None:
        self.is_transient, self.explain, self.retry_seconds = is_transient, explain, retry_seconds
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._is_sending = self._is_away = self._is_hurried = self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="mlflow-sender", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Puts a job at the end of the queue."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def extend_last(self, grow: Callable[[Job], bool]) -> bool:
        """Whether ``grow`` could add to the last job that waits to be sent; it gets the job while nobody else touches it."""
        with self._changed:
            is_waiting = len(self._jobs) > (1 if self._is_sending else 0)
            return is_waiting and grow(self._jobs[-1])

    def drain(self, timeout_seconds: float, *, is_patient: bool = False) -> list[str]:
        """Descriptions of what is still unsent when everything is sent, the time is over, or the server is away.

        Args:
            timeout_seconds: longest wait.
            is_patient: wait even for a server that is away, in case it comes back.
        """
        with self._changed:
            self._is_hurried = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._jobs or (self._is_away and not is_patient), timeout_seconds)
            self._is_hurried = False
            return [job.describe() for job in self._jobs]

    def close(self) -> None:
        """Ends the thread; what is unsent stays unsent."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        """Sends job after job, until closed."""
        while (job := self._next()) is not None:
            try:
                job.send()
            except Exception as error:  # noqa: BLE001 - whatever a store's client raises must not end the stage's records
                self._on_error(job, error)
            else:
                self._on_sent()

    def _next(self) -> Job | None:
        """The next job that may be sent, which stays in the queue until it is; None when closed."""
        with self._changed:
            while not self._is_closed:
                wait = None
                if self._jobs:
                    wait = self._jobs[0].ready_at - time.monotonic()
                    if wait <= 0 or self._is_hurried or len(self._jobs) > 1:
                        self._is_sending = True
                        return self._jobs[0]
                self._changed.wait(wait)
            return None

    def _on_sent(self) -> None:
        """Takes the sent job off the queue."""
        with self._changed:
            if self._is_away:
                logger.info("MLflow answers again; %d records follow", len(self._jobs) - 1)
            self._jobs.popleft()
            self._is_sending = self._is_away = False
            self._changed.notify_all()

    def _on_error(self, job: Job, error: Exception) -> None:
        """Drops the job, or pauses before it is tried again."""
        with self._changed:
            if not self.is_transient(error):
                logger.warning("MLflow did not take %s: %s", job.describe(), self.explain(error))
                self._jobs.popleft()
                self._is_sending = False
                self._changed.notify_all()
                return
            if not self._is_away:
                logger.warning(
                    "MLflow does not answer (%s); the stage goes on and its records are kept until it does", self.explain(error)
                )
            self._is_away = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_closed, self.retry_seconds)
