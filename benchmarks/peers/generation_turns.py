"""Turns of decoding on request, so that several decoders can be timed alternately; uses only the standard library.

For each turn, a decoder's process reads a line with the beam size from standard input, decodes all batches, and answers with a
line of JSON on standard output: the seconds by the clock and of the processor. All its other output goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Batch = dict[str, Any]
"""``ids``: of the sources, ``texts``: the sources, ``steps``: by beam size, of decoding for the whole batch."""


def take_turns(batches: str, decode: Callable[[Sequence[Batch], int], None]) -> None:
    """Takes turns until standard input ends.

    Args:
        batches: a file with a JSON array of batches.
        decode: decodes all batches with a beam size.
    """
    work = json.loads(Path(batches).read_text(encoding="utf-8"))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        clock, processor = time.perf_counter(), time.process_time()
        decode(work, int(line))
        answer = {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
