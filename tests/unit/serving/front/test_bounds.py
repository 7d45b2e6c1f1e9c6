"""Nobody can hold the server: not by bytes, by time, by connections, or by leaving."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.flows.waiting import wait_until

from .conftest import House, Opener

HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def narrow(open_house: Opener) -> Iterator[House]:
    connections = {
        "max_connections": 12, "max_requests": 4, "max_body_bytes": 4096, "max_buffered_bytes": 6000, "header_seconds": 0.3,
        "body_seconds": 0.5,
    }  # fmt: skip
    with open_house(connections=connections, limits={"max_waiting_rows": 2}, stalled_seconds=0.2) as opened:
        yield opened


def read_all(connection: socket.socket) -> bytes:
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionError:
        pass
    connection.close()
    return data


def read_answer(connection: socket.socket) -> bytes:
    with connection:
        return connection.recv(65536)


def ask_to_wait(house: House) -> socket.socket:
    """The connection of a request that is being decoded."""
    before = house.decoder.waiting
    body = b'{"inputs": ["wait"]}'
    connection = house.connect(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    wait_until(lambda: house.decoder.waiting > before, "the decoding")
    return connection


def test_a_long_body_is_refused_before_it_is_read(narrow: House) -> None:
    connection = narrow.connect(HEAD + b"Content-Length: 3000000000\r\n\r\n")
    answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"expected a body of at most 4096 bytes, got one of 3000000000" in answer


def test_a_body_of_unknown_length_is_refused_once_it_is_too_long(narrow: House) -> None:
    connection = narrow.connect(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n10\r\n" + b"x" * 16
    )
    assert read_all(connection).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_sends_all_of_a_refused_body_still_gets_the_answer(narrow: House) -> None:
    assert narrow.score(b"x" * 5_000_000).status == 413


def test_a_body_that_does_not_come_is_not_waited_for(narrow: House) -> None:
    answer = read_all(narrow.connect(HEAD + b"Content-Length: 100\r\n\r\n{"))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the body must be complete within 0.5 seconds, got 1 bytes" in answer


def test_the_bodies_of_all_requests_together_are_bounded(narrow: House) -> None:
    slow = narrow.connect(HEAD + b"Content-Length: 4000\r\n\r\n" + b"x" * 3999)
    wait_until(lambda: narrow.score(b"x" * 3000).status == 503, "a refusal")
    assert read_all(slow).startswith(b"HTTP/1.1 408 ")
    assert narrow.score({"inputs": ["a"]}).status == 200


def test_half_of_a_head_holds_no_connection(narrow: House) -> None:
    silent = [narrow.connect(b"POST /invocations HTTP/1.1\r\nHos") for _ in range(40)]
    assert narrow.score({"inputs": ["a"]}).status == 200  # in place of one of those
    assert [read_all(connection) for connection in silent] == [b""] * 40


def test_half_of_a_second_head_holds_no_connection(narrow: House) -> None:
    connection = narrow.connect(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
    connection.sendall(b"GET /pi")
    assert b"HTTP" not in read_all(connection)  # at most the rest of the first answer, and then the end


def test_no_part_of_an_answer_waits_for_the_acknowledgement_of_another(narrow: House) -> None:
    with narrow.connect():
        wait_until(lambda: len(narrow.server.server_state.connections) > 0, "the connection")
        (connection,) = narrow.server.server_state.connections
        ours = connection.transport.get_extra_info("socket")
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_work_for_a_client_that_left_is_stopped(narrow: House) -> None:
    stopped = narrow.decoder.stopped
    ask_to_wait(narrow).close()
    wait_until(lambda: narrow.decoder.stopped == stopped + 1, "the end of the work")


def test_a_request_is_answered_at_its_deadline_and_its_work_stopped(open_house: Opener) -> None:
    with open_house(limits={"deadline_seconds": 0.3}) as house:
        answer = house.score({"inputs": ["wait"]})
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.message == "not finished within the time that a request may take"
        wait_until(lambda: house.decoder.stopped == 1, "the end of the work")


def test_rows_beyond_the_queue_get_status_503_and_hear_when_to_come_again(narrow: House, monkeypatch: pytest.MonkeyPatch) -> None:
    held = ask_to_wait(narrow)
    monkeypatch.setattr(narrow.served.service.batcher, "expected_wait", lambda: 6.2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(narrow.score, {"inputs": ["b", "c"]})
        wait_until(lambda: narrow.served.service.batcher.load().waiting_rows == 2, "a full queue")
        refused = narrow.score({"inputs": ["d"]})
        narrow.decoder.go.release()
        assert json.loads(waiting.result().body)["predictions"][1]["prediction"] == "C"
    assert (refused.status, refused.message) == (503, "2 rows wait already, at most 2 may; try again later")
    assert refused.headers["retry-after"] == "7"
    assert read_answer(held).startswith(b"HTTP/1.1 200 OK")


def test_requests_beyond_the_threads_get_status_503_and_others_go_on(open_house: Opener) -> None:
    with open_house(connections={"max_requests": 1}) as house:
        held = ask_to_wait(house)
        refused = house.score({"inputs": ["d"]})
        assert (refused.status, refused.message) == (503, "the server answers 1 requests already; try again later")
        assert house.ask("GET", "/ping").status == 200
        house.decoder.go.release()
        assert read_answer(held).startswith(b"HTTP/1.1 200 OK")


def test_a_server_that_finishes_nothing_is_alive_but_not_ready(narrow: House) -> None:
    assert narrow.ask("GET", "/ready").status == 200
    held = ask_to_wait(narrow)
    wait_until(lambda: narrow.ask("GET", "/ready").status == 503, "not ready")
    assert narrow.ask("GET", "/ping").status == 200
    narrow.decoder.go.release()
    assert read_answer(held).startswith(b"HTTP/1.1 200 OK")
    assert narrow.ask("GET", "/ready").status == 200
    narrow.decoder.is_alive = False
    assert json.loads(narrow.ask("GET", "/ready").body)["reasons"] == ["no worker runs"]
    narrow.decoder.is_alive = True


def test_nothing_is_left_behind(narrow: House) -> None:
    """After all of the above."""
    threads = {thread for thread in threading.enumerate() if thread.name.startswith("request")}
    assert len(threads) <= 8
    assert narrow.served.service.batcher.load()[:2] == (0, 0)
    text = narrow.ask("GET", "/metrics").body.decode()
    assert "s2s_requests_in_flight 1.0" in text  # this one
    assert narrow.score({"inputs": ["a"]}).status == 200
