"""Attacks on a server. Each lasts for the given seconds, and is a process of its own.

python -m benchmarks.hostile.attacks NAME PORT SECONDS     prints how many of its requests got which status, as JSON
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

HEAD = "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
NUM_HALF_OPEN, PART = 900, 1 << 16
LEAVE_SECONDS = 2.0
SOURCE = "3 May 2031"


def message(body: bytes, stated: int | None = None, head: str = HEAD) -> bytes:
    """A request of a body, and of the length that it states."""
    return head.format(len(body) if stated is None else stated).encode() + body


def post(port: int, body: bytes, stated: int | None = None, patience: float = 60.0, head: str = HEAD) -> str:
    """Sends a request, reads its answer and returns the status; a word where none came."""
    connection = socket.create_connection(("127.0.0.1", port), 60)
    try:
        connection.settimeout(patience)
        refused = _send(connection, message(body, stated, head))
        answer = connection.recv(PART)
        return answer[9:12].decode() if answer else refused or "closed"
    except TimeoutError:
        return "left"
    except OSError:
        return "closed"
    finally:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def _send(connection: socket.socket, data: bytes) -> str:
    """Sends all, even where an answer has come meanwhile; returns a word where the server closed the connection."""
    try:
        for start in range(0, len(data), PART):
            connection.sendall(data[start : start + PART])
    except OSError:
        return "closed"
    return ""


def small_but_long(port: int, until: float) -> list[str]:
    """Six requests of 64 rows, beam 200 and at least 4096 tokens, whose clients leave after 2 s, again and again."""
    body = json.dumps({"inputs": [SOURCE] * 64, "params": {"beam_size": 200, "min_length": 4096, "max_length": 4096}}).encode()
    return at_once(6, lambda: post(port, body, patience=LEAVE_SECONDS), until)


def just_affordable(port: int, until: float) -> list[str]:
    """The same with as many rows as a request may cost."""
    body = json.dumps({"inputs": [SOURCE], "params": {"beam_size": 200, "min_length": 4096, "max_length": 4096}}).encode()
    return at_once(6, lambda: post(port, body, patience=LEAVE_SECONDS), until)


def half_open(port: int, until: float) -> list[str]:
    """900 connections with half of a head, each opened again when the server closes it."""
    chosen, closed = selectors.DefaultSelector(), 0
    for _ in range(NUM_HALF_OPEN):
        _open_half(port, chosen)
    while (left := until - time.monotonic()) > 0:
        for key, _ in chosen.select(min(1.0, left)):
            chosen.unregister(key.fileobj)
            key.data.close()
            closed += 1
            _open_half(port, chosen)
    for key in list(chosen.get_map().values()):
        key.data.close()
    return ["closed"] * closed


def _open_half(port: int, chosen: selectors.BaseSelector) -> None:
    connection = socket.create_connection(("127.0.0.1", port), 60)
    connection.sendall(b"POST /invocations HTTP/1.1\r\nHos")
    chosen.register(connection, selectors.EVENT_READ, connection)


def claimed_and_sent(port: int, until: float) -> list[str]:
    """A request that states 3 GB and really sends 300 MiB."""
    body = b"x" * (300 << 20)
    return at_once(1, lambda: post(port, body, 3_000_000_000), until)


def long_json(port: int, until: float) -> list[str]:
    """50 MB of valid JSON."""
    body = json.dumps({"inputs": ["a" * 1000] * 50_000}).encode()
    return at_once(2, lambda: post(port, body), until)


def many_rows(port: int, until: float) -> list[str]:
    """10,000 rows."""
    body = json.dumps({"inputs": [SOURCE] * 10_000}).encode()
    return at_once(2, lambda: post(port, body), until)


def repeated_text(port: int, until: float) -> list[str]:
    """A Parquet file of 1000 rows that all point to one text of 2 MB."""
    import io

    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    places = pyarrow.array([0] * 1000, pyarrow.int32())
    column = pyarrow.DictionaryArray.from_arrays(places, pyarrow.array(["a" * 2_000_000]))
    pyarrow.parquet.write_table(pyarrow.table({"source": column}), file, compression="none")
    parquet = HEAD.replace("application/json", "application/vnd.apache.parquet")
    return at_once(2, lambda: post(port, file.getvalue(), head=parquet), until)


def many_values(port: int, until: float) -> list[str]:
    """JSON just below the bound on bytes, of millions of values."""
    body = b'{"inputs": [' + b"[]," * 2_700_000 + b"[]]}"
    return at_once(6, lambda: post(port, body), until)


def long_texts(port: int, until: float) -> list[str]:
    """JSON just below the bound on bytes, of texts of the greatest length."""
    body = json.dumps({"inputs": ["3 May 2031 " * 1800] * 400}).encode()
    return at_once(6, lambda: post(port, body, patience=LEAVE_SECONDS), until)


ATTACKS: dict[str, Callable[[int, float], list[str]]] = {
    "64 rows, beam 200, 4096 tokens, six at once, gone after 2 s": small_but_long,
    "1 row, beam 200, 4096 tokens, six at once, gone after 2 s": just_affordable,
    "900 half-open connections": half_open,
    "3 GB claimed, 300 MiB sent": claimed_and_sent,
    "50 MB of JSON": long_json,
    "10,000 rows": many_rows,
    "Parquet of 2 MB that stands for 2 GB, two at once": repeated_text,
    "8 MB of JSON of 2.7 million values, six at once": many_values,
    "8 MB of texts of 19,800 characters, six at once": long_texts,
}


def at_once(count: int, ask: Callable[[], str], until: float) -> list[str]:
    """The statuses of what so many clients ask until a time."""
    statuses: list[str] = []

    def ask_on() -> None:
        while time.monotonic() < until:
            statuses.append(ask())

    clients = [threading.Thread(target=ask_on) for _ in range(count)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return statuses


if __name__ == "__main__":
    name, port, seconds = sys.argv[1:]
    print(json.dumps(Counter(ATTACKS[name](int(port), time.monotonic() + float(seconds)))))
