"""`s2s serve` at saturation for minutes, while its alias moves and its workers are killed.

    python benchmarks/soak.py                                10 minutes: the alias moves every 20 s, a worker is killed every 60 s
    python benchmarks/soak.py --seconds 120 --clients 8

Two versions of a small Transformer of random weights, which answer differently, take turns as champion. Clients ask one sentence
after another without a pause. Each answer must name its version and have that version's text; no request may be lost, though some
may be refused with status 503. Memory is that of all processes (PSS): the median over the second quarter of the time against that
over the last. Exit code 1: a bar is missed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.hostile.attacked_server import MIB, ROOT, AttackedServer, attacked_server
from benchmarks.hostile.saturating_clients import text_of
from benchmarks.hostile.usual_client import BODY
from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import load_settings
from seq2seq_core.registry.registration import register_bundle
from seq2seq_core.serving.model_header import MODEL_HEADER, read_header
from seq2seq_core.tracking.mlflow.store import connect
from tests.unit.conftest import write_tiny_bundle

MOST_GROWTH = 1.05
"""The bar: memory at the end, as a multiple of that in the second quarter."""
LOOK_SECONDS = 1.0
POLL_SECONDS = 2.0
"""How often the server looks where the alias points."""
WIDTH = 64


def ask(server: AttackedServer) -> tuple[str, str]:
    """The version that answers now, and its text."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("POST", "/invocations", BODY, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    model = read_header(answer.headers.get(MODEL_HEADER, ""))
    if answer.status != 200 or model is None:
        raise SystemExit(f"the server answered {answer.status} before the clients began: {body[:500]!r}")
    return model.number, text_of(body)


def add_version(server: AttackedServer) -> dict[str, str]:
    """Registers a second version, and has the server take it; the text of each version, by its number."""
    paths = Paths(server.root)
    texts = dict([ask(server)])
    write_tiny_bundle(paths, seed=2, right=None, model={"architecture": "transformer", "width": WIDTH})
    register_bundle(load_settings(paths.params), paths)
    move_alias(server, "2")
    deadline = time.monotonic() + 120
    while len(texts) < 2 and time.monotonic() < deadline:
        time.sleep(1)
        texts |= [ask(server)]
    if len(set(texts.values())) < 2:
        raise SystemExit(f"the two versions must answer differently, got {texts}")
    return texts


def move_alias(server: AttackedServer, number: str) -> None:
    """Makes a version the champion."""
    connect(Paths(server.root)).set_registered_model_alias("dates", "champion", number)


def kill_worker(server: AttackedServer) -> None:
    """Kills one decoding process by SIGKILL: the child with the most memory."""
    workers = server.processes()[1:]
    os.kill(max(workers, key=lambda process: process.memory_info().rss).pid, signal.SIGKILL)


def disturb(server: AttackedServer, clients: subprocess.Popen[str], move_every: float, kill_every: float) -> list[float]:
    """Moves the alias and kills workers until the clients have ended; the memory of each second, in bytes."""
    started, moves, kills, memory = time.monotonic(), 0, 0, list[float]()
    while clients.poll() is None:
        gone = time.monotonic() - started
        if gone >= (moves + 1) * move_every:
            moves += 1
            move_alias(server, "1" if moves % 2 else "2")
        if gone >= (kills + 1) * kill_every:
            kills += 1
            kill_worker(server)
        memory.append(server.memory())
        time.sleep(LOOK_SECONDS)
    print(f"the alias was moved {moves} times, a worker killed {kills} times")
    return memory


def faults_of(found: dict[str, dict[str, int]], memory: Sequence[float]) -> list[str]:
    """The bars that are missed, in words."""
    faults = [f"{number} x {what}" for what, number in found["answers"].items() if what not in ("right", "503")]
    if len(found["versions"]) < 2:
        faults.append(f"only the versions {found['versions']} answered")
    quarter = len(memory) // 4
    early, late = statistics.median(memory[quarter : 2 * quarter]), statistics.median(memory[-quarter:])
    print(f"memory: {early / MIB:.0f} MiB in the second quarter, {late / MIB:.0f} in the last, {max(memory) / MIB:.0f} at most")
    if late > MOST_GROWTH * early:
        faults.append(f"memory grew by {late / early - 1:.1%}")
    return faults


def main() -> None:
    """Prints what the clients got, and the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="of the whole")
    parser.add_argument("--clients", type=int, default=16, help="that ask at once")
    parser.add_argument("--move-every", type=float, default=20.0, help="seconds between two moves of the alias")
    parser.add_argument("--kill-every", type=float, default=60.0, help="seconds between two kills of a worker")
    parser.add_argument("--workers", type=int, default=2, help="decoding processes of the server")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        serve = {"workers": options.workers, "poll_seconds": POLL_SECONDS}
        with attacked_server(Path(name), WIDTH, serve) as server:
            texts = add_version(server)
            command = [sys.executable, "-m", "benchmarks.hostile.saturating_clients", str(server.port), str(options.seconds)]
            clients = subprocess.Popen(
                [*command, str(options.clients)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            assert clients.stdin is not None
            clients.stdin.write(json.dumps(texts))
            clients.stdin.close()
            memory = disturb(server, clients, options.move_every, options.kill_every)
            assert clients.stdout is not None
            found = json.loads(clients.stdout.read())
            print(json.dumps(found, indent=1))
            print(f"held: {server.held()}")
    faults = faults_of(found, memory)
    print("\n".join(["missed:", *faults]) if faults else "every bar is met")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
