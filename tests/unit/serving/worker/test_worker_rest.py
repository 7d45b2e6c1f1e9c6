"""A worker that rests gives the memory of its last batches back, once."""

from __future__ import annotations

import socket
import threading

import pytest

from seq2seq_core.serving.worker import worker_main


def test_memory_is_given_back_once_while_no_batch_comes_and_the_next_batch_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    given, calls = threading.Event(), list[int]()

    def note() -> None:
        calls.append(1)
        given.set()

    monkeypatch.setattr(worker_main, "REST_SECONDS", 0.01)
    monkeypatch.setattr(worker_main, "return_freed_memory", note)
    monkeypatch.setattr(worker_main, "receive_message", lambda _: threading.Event().wait())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox = worker_main.Inbox(ours)
        found: list[dict[str, object]] = []
        taker = threading.Thread(target=lambda: found.append(inbox.next_batch()))
        taker.start()
        assert given.wait(60)
        inbox.batches.put({"batch": 7})
        taker.join(60)
        assert found == [{"batch": 7}]
        assert calls == [1]
        monkeypatch.setattr(worker_main, "REST_SECONDS", 60.0)
        inbox.batches.put({"batch": 8})
        assert inbox.next_batch() == {"batch": 8}  # taken without a rest
        assert calls == [1]
