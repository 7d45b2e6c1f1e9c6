"""Asks a server requests made at random, and judges what it answers."""

from __future__ import annotations

import http.client
import random
import socket
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hostile.attacked_server import ROOT, AttackedServer
from benchmarks.hostile.bodies import BODIES
from benchmarks.hostile.heads import HEADS
from benchmarks.hostile.message import Message

KINDS = {**BODIES, **HEADS}
CLIENTS = 8
BOUNDS = {
    "limits": {"deadline_seconds": 2},
    "connections": {"body_seconds": 1.5, "header_seconds": 1.5, "keep_alive_seconds": 2},
}
"""Settings of the server that make 10,000 requests quicker: its bounds on time, a tenth of the defaults or less."""
PATIENCE_SECONDS = 30.0
"""A request without an answer after this time hangs; the server's bounds are :data:`BOUNDS`."""
LEAVE_SECONDS = 0.3
OUT_OF_TIME = ("408", "503")
"""What any request may get while the server has more to do than the bounds on time allow."""
TRACES = (b"Traceback", b'File "', b"site-packages", b".py:")


@dataclass(frozen=True)
class Outcome:
    """What came of a request: its status, or a word; what is wrong with the answer; its seconds."""

    kind: str
    status: str
    fault: str
    seconds: float


def fuzz(server: AttackedServer, count: int, seed: int) -> bool:
    """Asks the requests, prints a table by kind, and returns whether every answer was as it should be.

    Args:
        server: the server.
        count: requests.
        seed: of all of them; request N is the same whatever the others are.
    """
    places = [str(server.root), str(ROOT), str(Path.home()), sys.prefix, sys.base_prefix]
    known = [place.encode() for place in places if len(place) > 1]
    with ThreadPoolExecutor(CLIENTS) as pool:
        outcomes = []
        for one in pool.map(lambda number: _ask(server.port, number, seed, known), range(count)):
            outcomes.append(one)
            if len(outcomes) % 1000 == 0:
                print(f"{len(outcomes)} requests at {time.strftime('%H:%M:%S')}", file=sys.stderr, flush=True)
    _show(outcomes)
    faults = [(number, one) for number, one in enumerate(outcomes) if one.fault]
    for number, one in faults[:40]:
        print(f"request {number} ({one.kind}): {one.status}: {one.fault}; {make(number, seed)[1].data[:300]!r}")
    held = server.held()
    print(f"\n{count} requests of {len(KINDS)} kinds, seed {seed}: {len(faults)} at fault; the slowest took "
          f"{max(one.seconds for one in outcomes):.1f} s; afterwards {held}")  # fmt: skip
    return not faults and not held["requests"] and not held["waiting rows"]


def make(number: int, seed: int) -> tuple[str, Message]:
    """A request and its kind."""
    draw = random.Random(f"{seed}/{number}")
    kind = list(KINDS)[number % len(KINDS)]
    return kind, KINDS[kind](draw)


def _ask(port: int, number: int, seed: int, places: list[bytes]) -> Outcome:
    kind, message = make(number, seed)
    started = time.monotonic()
    status, body = _exchange(port, message)
    return Outcome(kind, status, _fault(message, status, body, places), time.monotonic() - started)


def _exchange(port: int, message: Message) -> tuple[str, bytes]:
    """The status and content of an answer; instead of a status, ``closed``, ``hangs``, or ``left`` where the client does."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        try:
            connection.sendall(message.data)
            if message.leaves:
                time.sleep(LEAVE_SECONDS)
                return "left", b""
        except OSError:
            pass  # an answer may have come all the same
        try:
            answer = http.client.HTTPResponse(connection, method=message.method)
            answer.begin()
            return str(answer.status), answer.headers.as_bytes() + answer.read()
        except TimeoutError:
            return "hangs", b""
        except (OSError, http.client.HTTPException):
            return "closed", b""


def _fault(message: Message, status: str, body: bytes, places: list[bytes]) -> str:
    """What is wrong with an answer; empty: nothing."""
    if status == "hangs":
        return "no answer"
    if status == "closed" and not message.may_be_closed:
        return "closed without an answer"
    if status.startswith("5") and status != "503":
        return f"status {status}"
    if found := [trace for trace in TRACES if trace in body and trace not in message.data]:
        return f"a stack trace: {found[0].decode()}"
    if found := [place for place in places if place in body and place not in message.data]:
        return f"a path of the server: {found[0].decode()}"
    if message.expected and status not in (*message.expected, *OUT_OF_TIME):
        return f"expected {' or '.join(message.expected)}: {body[-300:]!r}"
    return ""


def _show(outcomes: list[Outcome]) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in outcomes:
        counts[one.kind][one.status] += 1
    statuses = sorted({one.status for one in outcomes})
    print("| kind | " + " | ".join(statuses) + " | at fault |")
    print("|---" * (len(statuses) + 2) + "|")
    for kind, found in counts.items():
        faults = sum(bool(one.fault) for one in outcomes if one.kind == kind)
        print(f"| {kind} | " + " | ".join(str(found[status] or "") for status in statuses) + f" | {faults} |")
    totals = Counter(one.status for one in outcomes)
    print("| all | " + " | ".join(str(totals[status]) for status in statuses) + f" | {sum(bool(one.fault) for one in outcomes)} |")
