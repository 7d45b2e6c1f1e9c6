"""A client that asks one sentence after another, 20 ms apart, on a connection that it keeps.

python -m benchmarks.hostile.usual_client PORT SECONDS     prints what it saw, as JSON
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

BODY = json.dumps({"inputs": ["3 May 2031"], "params": {"max_length": 40}})


@dataclass(frozen=True)
class Times:
    """What the client saw: seconds of its answers, and the number of those of another status than 200."""

    seconds: list[float]
    failures: int

    @property
    def p99(self) -> float:
        """The 99th percentile of the seconds."""
        return statistics.quantiles(self.seconds, n=100)[98]

    @property
    def p50(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)


def ask_as_usual(port: int, duration: float) -> Times:
    """Asks for some seconds."""
    end, seconds, failures = time.monotonic() + duration, list[float](), 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while time.monotonic() < end:
        started = time.monotonic()
        try:
            connection.request("POST", "/invocations", BODY, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            failures += answer.status != 200
        except (OSError, http.client.HTTPException):
            failures += 1
            connection.close()
        seconds.append(time.monotonic() - started)
        time.sleep(0.02)
    return Times(seconds, failures)


if __name__ == "__main__":
    print(json.dumps(asdict(ask_as_usual(int(sys.argv[1]), float(sys.argv[2])))))
