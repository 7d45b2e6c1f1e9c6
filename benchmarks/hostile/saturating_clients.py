"""Clients that ask one sentence after another without a pause, each on a connection that it keeps.

python -m benchmarks.hostile.saturating_clients PORT SECONDS CLIENTS     prints what they got, as JSON

An answer is ``right`` if its header names a version and its text is that version's; standard input has the texts, by version.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping

from benchmarks.hostile.usual_client import BODY
from seq2seq_core.serving.model_header import MODEL_HEADER, read_header

RETRY_SECONDS = 0.2


class Tally:
    """What all clients got, so far.

    Args:
        texts: the answer of each version, by its number.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts, self.lock = texts, threading.Lock()
        self.answers: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self.seconds: list[float] = []

    def count(self, what: str, seconds: float, version: str = "") -> None:
        """Counts an answer, or what came instead."""
        with self.lock:
            self.answers[what] += 1
            self.seconds.append(seconds)
            if version:
                self.versions[version] += 1


def ask_on(port: int, end: float, tally: Tally) -> None:
    """Asks until a time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while (started := time.monotonic()) < end:
        try:
            connection.request("POST", "/invocations", BODY, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            tally.count(f"lost ({type(error).__name__})", time.monotonic() - started)
            connection.close()
            time.sleep(RETRY_SECONDS)
            continue
        seconds = time.monotonic() - started
        if answer.status != 200:
            tally.count(str(answer.status), seconds)
            time.sleep(RETRY_SECONDS)
            continue
        model = read_header(answer.headers.get(MODEL_HEADER, ""))
        if model is None:
            tally.count("no version", seconds)
        elif text_of(body) != tally.texts.get(model.number):
            tally.count("text of another version", seconds)
        else:
            tally.count("right", seconds, model.number)


def text_of(body: bytes) -> str:
    """The text of an answer to one sentence."""
    (row,) = json.loads(body)["predictions"]
    return str(row["prediction"])


def main() -> None:
    """Runs the clients."""
    port, duration, number = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    tally, end = Tally(json.load(sys.stdin)), time.monotonic() + duration
    threads = [threading.Thread(target=ask_on, args=(port, end, tally)) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ordered = sorted(tally.seconds)
    found = {
        "answers": dict(tally.answers.most_common()),
        "versions": dict(sorted(tally.versions.items())),
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[int(0.99 * len(ordered))],
        "longest": ordered[-1],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
