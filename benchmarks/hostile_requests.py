"""What hostile requests do to `s2s serve`: to the time of others, to its memory, and to its answers.

    python benchmarks/hostile_requests.py                      the attacks, about 6 minutes
    python benchmarks/hostile_requests.py --fuzz 10000         requests made at random of many kinds, by a seed

The server is a real one with its default limits, on a small Transformer of random weights. While an attack runs in a process of its
own, a usual client asks on in another one: its times are compared with those before. Memory is that of all processes of the server
(PSS). Exit code 1: a bar is missed, or a fuzzed request got no answer, one of status 5xx other than 503, a stack trace or a path.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.hostile.attacked_server import MIB, ROOT, AttackedServer, attacked_server
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.fuzzing import BOUNDS, fuzz
from benchmarks.hostile.usual_client import Times

MOST_SLOWDOWN = 2.0
"""The bar: how many times the usual 99th percentile another client may wait."""
MOST_MEMORY = 1024 * MIB
"""The bar: growth of the server's memory by an attack."""
REST_SECONDS = 12.0
"""Time after an attack in which everything should be freed; longer than a connection may hold half of a head."""
LEAD_SECONDS = 2.0
"""Time for which an attack runs before the usual client asks."""


def watch(server: AttackedServer, name: str, duration: float) -> tuple[Times, dict[str, int]]:
    """What a usual client sees during an attack (none: empty name), and the statuses that the attacker gets."""
    server.forget_peak()
    attacker = _start("attacks", name, server.port, duration + LEAD_SECONDS) if name else None
    time.sleep(LEAD_SECONDS)
    usual = _start("usual_client", server.port, duration)
    times = Times(**json.loads(usual.communicate()[0]))
    return times, json.loads(attacker.communicate()[0]) if attacker else {}


def _start(module: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"benchmarks.hostile.{module}", *map(str, arguments)]
    # In a session of its own a process takes no share of the processors from the others of this run, as if it were elsewhere.
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)


def run_attacks(server: AttackedServer, names: Sequence[str], duration: float) -> bool:
    """Prints a row for each attack; returns whether every bar is met."""
    watch(server, "", duration / 2)  # warms the server
    before, _ = watch(server, "", duration)
    memory, held = server.memory(), server.held()
    print(f"before: p50 {before.p50 * 1000:.0f} ms, p99 {before.p99 * 1000:.0f} ms, {memory / MIB:.0f} MiB, {held}", flush=True)
    print("\n| attack | its answers | p50 | p99 | × p99 before | others' failures | peak MiB | MiB after |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    is_met = True
    for name in names:
        times, statuses = watch(server, name, duration)
        time.sleep(REST_SECONDS)
        ratio, after = times.p99 / before.p99, server.memory()
        said = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        print(
            f"| {name} | {said} | {times.p50 * 1000:.0f} ms | {times.p99 * 1000:.0f} ms | {ratio:.1f} | {times.failures} "
            f"| {server.peak_bytes / MIB:.0f} | {after / MIB:.0f} |", flush=True,
        )  # fmt: skip
        is_met &= ratio <= MOST_SLOWDOWN and not times.failures and server.peak_bytes - memory <= MOST_MEMORY
    last, _ = watch(server, "", duration)
    held = server.held()
    print(f"\nafterwards: p50 {last.p50 * 1000:.0f} ms, p99 {last.p99 * 1000:.0f} ms, {server.memory() / MIB:.0f} MiB, {held}")
    return is_met and not held["requests"] and not held["waiting rows"] and held["connections"] <= 1


def main() -> None:
    """Runs the attacks, or the fuzzed requests, and prints what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fuzz", type=int, default=0, metavar="N", help="ask N requests made at random in place of the attacks")
    parser.add_argument("--seed", type=int, default=1, help="of the fuzzed requests")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each attack")
    parser.add_argument("--attacks", nargs="+", default=list(ATTACKS), choices=list(ATTACKS), metavar="NAME")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="s2s-hostile-") as folder:
        if asked.fuzz:
            with attacked_server(Path(folder), 16, BOUNDS) as server:
                is_met = fuzz(server, asked.fuzz, asked.seed)
        else:
            with attacked_server(Path(folder), 64, {}) as server:
                is_met = run_attacks(server, asked.attacks, asked.seconds)
    print(f"bars: {'met' if is_met else 'NOT met'}")
    sys.exit(not is_met)


if __name__ == "__main__":
    main()
