"""Large requests are read one after another, hold up nobody else, and leave nothing behind."""

from __future__ import annotations

import gc
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from seq2seq_core.serving.front import routes
from seq2seq_core.serving.front.large_requests import LARGE_BYTES
from seq2seq_core.serving.front.scoring_request import read_request
from tests.flows.waiting import wait_until

from .conftest import House

HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
TEXTS = ["a" * 19_000] * (LARGE_BYTES // 19_000 + 1)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    found = Reading()
    monkeypatch.setattr(routes, "read_request", found.read)
    return found


class Reading:
    """Reads a large request once it is let go."""

    def __init__(self) -> None:
        self.go, self.real = threading.Semaphore(0), read_request
        self.begun = self.now = self.most = 0
        self.lock = threading.Lock()

    def read(self, body: bytes, *arguments: Any) -> Any:
        if len(body) < LARGE_BYTES:
            return self.real(body, *arguments)
        with self.lock:
            self.begun, self.now = self.begun + 1, self.now + 1
            self.most = max(self.most, self.now)
        assert self.go.acquire(timeout=60)
        try:
            return self.real(body, *arguments)
        finally:
            with self.lock:
                self.now -= 1


def test_one_is_read_at_a_time_and_small_ones_pass(house: House, reading: Reading) -> None:
    with ThreadPoolExecutor(3) as clients:
        large = [clients.submit(house.score, {"inputs": TEXTS}) for _ in range(3)]
        wait_until(lambda: reading.begun == 1, "the first one's turn")
        assert json.loads(house.score({"inputs": ["b"]}).body)["predictions"][0]["prediction"] == "B"
        reading.go.release(3)
        answers = [one.result() for one in large]
    assert [answer.status for answer in answers] == [200] * 3
    assert reading.most == 1


def test_one_whose_rows_wait_to_be_decoded_has_had_its_turn(house: House, reading: Reading) -> None:
    before = house.decoder.waiting
    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(house.score, {"inputs": ["wait", *TEXTS]})
        reading.go.release()
        wait_until(lambda: house.decoder.waiting > before, "its decoding")
        second = clients.submit(house.score, {"inputs": TEXTS})
        wait_until(lambda: reading.begun == 2, "the turn of the second one")
        reading.go.release()
        house.decoder.go.release()
        assert (first.result().status, second.result().status) == (200, 200)


def test_one_whose_client_has_left_keeps_its_turn_until_its_thread_has_ended(house: House, reading: Reading) -> None:
    body = json.dumps({"inputs": TEXTS}).encode()
    connection = house.connect(HEAD % len(body) + body)
    wait_until(lambda: reading.begun == 1, "the first one's turn")
    connection.close()
    with ThreadPoolExecutor(1) as clients:
        other = clients.submit(house.score, {"inputs": TEXTS})
        for _ in range(3):
            assert house.score({"inputs": ["b"]}).status == 200
        assert reading.begun == 1
        reading.go.release(2)
        assert other.result().status == 200
    assert reading.most == 1


def test_nothing_keeps_the_body_of_a_large_request_that_has_ended(house: House) -> None:
    gc.collect()
    gc.disable()  # the server frees it, and not chance
    try:
        assert house.score({"inputs": [*TEXTS, None]}).status == 400
        assert house.score({"inputs": TEXTS, "params": {"beam_size": 200, "max_length": 4096}}).status == 400
        wait_until(lambda: not _count_large(), "that the bodies are freed")
    finally:
        gc.enable()


def _count_large() -> int:
    """Bodies of large requests, and what was made of them, that are in memory."""
    held = (value for one in gc.get_objects() for value in gc.get_referents(one) if type(value) in (bytes, str))
    return sum(len(value) >= LARGE_BYTES and "aaaaaaaa" in str(value[:200]) for value in held)
