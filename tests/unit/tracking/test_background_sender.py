from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from seq2seq_core.tracking.mlflow.background_sender import BackgroundSender, Job

LONG = 30.0


class Server:
    """Takes what it is sent, or fails with the errors that it was given, one a request."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.errors: list[Exception] = []
        self.has_failed = threading.Event()

    def job(self, name: str) -> Job:
        def send() -> None:
            if self.errors:
                error = self.errors.pop(0)
                self.has_failed.set()
                raise error
            self.taken.append(name)

        return Job(name, send)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def make_sender() -> Iterator[Callable[[float], BackgroundSender]]:
    made: list[BackgroundSender] = []

    def make(retry_seconds: float) -> BackgroundSender:
        made.append(BackgroundSender(lambda error: isinstance(error, ConnectionError), retry_seconds=retry_seconds))
        return made[-1]

    yield make
    for sender in made:
        sender.close()


def test_jobs_are_sent_in_order(server: Server, make_sender: Callable[[float], BackgroundSender]) -> None:
    sender = make_sender(LONG)
    names = [str(number) for number in range(200)]
    for name in names:
        sender.submit(server.job(name))
    assert sender.drain(LONG) == []
    assert server.taken == names


def test_a_lost_server_gets_everything_when_it_is_back_and_is_reported_once(
    server: Server, make_sender: Callable[[float], BackgroundSender], caplog: pytest.LogCaptureFixture
) -> None:
    sender = make_sender(0.01)
    server.errors = [ConnectionError("refused"), ConnectionError("refused"), ConnectionError("refused")]
    with caplog.at_level(logging.INFO, "seq2seq_core"):
        for name in "abc":
            sender.submit(server.job(name))
        assert sender.drain(LONG, is_patient=True) == []
    assert server.taken == ["a", "b", "c"]
    lost, found = caplog.messages
    assert lost == "MLflow does not take records (refused); the stage goes on and keeps them until it does"
    assert found.startswith("MLflow answers again; ")


def test_waiting_for_a_lost_server_ends_at_once_unless_asked_to_be_patient(
    server: Server, make_sender: Callable[[float], BackgroundSender]
) -> None:
    sender = make_sender(LONG)
    server.errors = [ConnectionError("refused")]
    sender.submit(server.job("a"))
    sender.submit(server.job("b"))
    assert server.has_failed.wait(LONG)
    assert sender.drain(LONG) == ["a", "b"]
    assert sender.drain(0.01, is_patient=True) == ["a", "b"]


def test_a_refused_job_is_dropped_with_a_warning_and_the_next_ones_are_sent(
    server: Server, make_sender: Callable[[float], BackgroundSender], caplog: pytest.LogCaptureFixture
) -> None:
    sender = make_sender(LONG)
    server.errors = [ValueError("no such name")]
    sender.submit(server.job("a"))
    sender.submit(server.job("b"))
    assert sender.drain(LONG) == []
    assert server.taken == ["b"]
    assert caplog.messages == ["MLflow did not take a: no such name"]


def test_a_job_that_an_answering_server_does_not_take_lets_the_others_pass_and_is_sent_again_at_the_end(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    sender = BackgroundSender(lambda error: isinstance(error, ConnectionError), retry_seconds=LONG, is_answering=lambda: True)
    server.errors = [ConnectionError("too large"), ConnectionError("too large")]
    for name in "abc":
        sender.submit(server.job(name))
    assert sender.drain(LONG) == ["a", "b"]
    assert server.taken == ["c"]
    server.errors = [ConnectionError("too large")]
    assert sender.drain(LONG, is_patient=True) == ["a"]
    assert server.taken == ["c", "b"]
    assert not sender.extend_last(lambda last: True), "what was sent once does not grow"
    sender.close()
    assert caplog.messages == ["MLflow answers, but does not take a (too large); it is kept"]


def test_a_job_may_grow_until_it_is_sent(server: Server, make_sender: Callable[[float], BackgroundSender]) -> None:
    sender = make_sender(LONG)
    job = server.job("growing")
    job.ready_at += LONG
    assert not sender.extend_last(lambda last: True), "nothing waits yet"
    sender.submit(job)
    assert sender.extend_last(lambda last: last is job)
    assert not sender.extend_last(lambda last: False), "it had no room"
    assert server.taken == []
    assert sender.drain(LONG) == []
    assert server.taken == ["growing"]
