"""Sends records to a server in order, from a background thread, and keeps them while the server does not answer."""

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
    """A request to send.

    Attributes:
        name: a description for warnings.
        send: sends the request; raises an error on failure.
        ready_at: the time (``time.monotonic``) until which it may still grow, unless another job follows or a flush waits.
        settle: called once the job was sent or dropped.
        was_tried: whether it was sent once already; then it grows no more.
    """

    name: str
    send: Callable[[], object]
    ready_at: float = field(default_factory=time.monotonic)
    settle: Callable[[], object] = lambda: None
    was_tried: bool = False

    def describe(self) -> str:
        """The current description."""
        return self.name


class BackgroundSender:
    """A queue of jobs and the thread that sends them.

    Args:
        is_transient: whether an error is temporary, so that the job is retried; after another error it is dropped with a warning.
        is_answering: whether the server answers at all; then a job with a temporary error is set aside and the next ones are sent.
        explain: gives the reason of an error in one line.
        retry_seconds: pause before a retry.
    """

    def __init__(
        self,
        is_transient: Callable[[Exception], bool],
        explain: Callable[[Exception], str] = str,
        retry_seconds: float = 10.0,
        is_answering: Callable[[], bool] = lambda: False,
    ) -> None:
        self.is_transient, self.explain, self.retry_seconds = is_transient, explain, retry_seconds
        self.is_answering = is_answering
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._aside: deque[Job] = deque()
        self._told_reason = ""
        self._is_sending = self._is_away = self._is_hurried = self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="mlflow-sender", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Puts a job at the end of the queue."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def extend_last(self, grow: Callable[[Job], bool]) -> bool:
        """Lets ``grow`` extend the last waiting job, under the queue's lock; returns whether it did."""
        with self._changed:
            is_waiting = len(self._jobs) > (1 if self._is_sending else 0)
            return is_waiting and not self._jobs[-1].was_tried and grow(self._jobs[-1])

    def drain(self, timeout_seconds: float, *, is_patient: bool = False) -> list[str]:
        """Waits until everything is sent, the time is over, or the server does not answer; returns descriptions of unsent jobs.

        Args:
            timeout_seconds: longest wait.
            is_patient: whether to wait for the whole time even while the server does not answer, and to send again, last, what was
                set aside.
        """
        with self._changed:
            self._is_hurried = True
            if is_patient:
                self._jobs.extend(self._aside)
                self._aside.clear()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._jobs or (self._is_away and not is_patient), timeout_seconds)
            self._is_hurried = False
            return [job.describe() for job in (*self._jobs, *self._aside)]

    def close(self) -> None:
        """Ends the thread; unsent jobs are not sent any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        """Sends job after job, until closed."""
        while (job := self._next()) is not None:
            try:
                job.send()
            except Exception as error:  # noqa: BLE001 - whatever a store's client raises must not end the stage's records
                if not self.is_transient(error):
                    self._drop(job, error)
                elif self.is_answering():
                    self._set_aside(job, error)
                else:
                    self._pause(error)
            else:
                job.settle()
                self._on_sent()

    def _next(self) -> Job | None:
        """The next job to send, which stays in the queue until it is sent; None when closed."""
        with self._changed:
            while not self._is_closed:
                wait = None
                if self._jobs:
                    wait = self._jobs[0].ready_at - time.monotonic()
                    if wait <= 0 or self._is_hurried or len(self._jobs) > 1:
                        self._is_sending = self._jobs[0].was_tried = True
                        return self._jobs[0]
                self._changed.wait(wait)
            return None

    def _on_sent(self) -> None:
        """Removes the sent job from the queue."""
        with self._changed:
            if self._is_away:
                logger.info("MLflow answers again; %d records follow", len(self._jobs) - 1)
            self._leave_queue()

    def _drop(self, job: Job, error: Exception) -> None:
        """Drops a job that the server refuses."""
        with self._changed:
            if not self._is_closed:
                logger.warning("MLflow did not take %s: %s", job.describe(), self.explain(error))
                job.settle()
                self._leave_queue()

    def _set_aside(self, job: Job, error: Exception) -> None:
        """Lets the next jobs pass a job that the server, which answers, does not take now."""
        with self._changed:
            if self._is_closed:
                return
            reason = self.explain(error)
            if reason != self._told_reason:
                logger.warning("MLflow answers, but does not take %s (%s); it is kept", job.describe(), reason)
            self._told_reason = reason
            self._aside.append(job)
            self._leave_queue()

    def _leave_queue(self) -> None:
        """Removes the first job from the queue; the caller holds the queue's lock."""
        self._jobs.popleft()
        self._is_sending = self._is_away = False
        self._changed.notify_all()

    def _pause(self, error: Exception) -> None:
        """Pauses before the first job's retry, because the server does not answer."""
        with self._changed:
            if self._is_closed:
                return
            if not self._is_away:
                logger.warning(
                    "MLflow does not take records (%s); the stage goes on and keeps them until it does", self.explain(error)
                )
            self._is_away = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_closed, self.retry_seconds)
