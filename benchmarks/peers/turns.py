"""Turns of training on request, so that several trainers can be timed alternately; uses only the standard library.

For each turn, a trainer's process reads a line with the turn's minimum seconds from standard input, trains whole steps, and
answers with a line of JSON on standard output. All its other output goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time


class Turns:
    """The turns of this process; the trainer calls it before and after each step."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self._seconds = self._started = 0.0
        self._tokens = self._steps = 0
        self._is_open = False

    def before_step(self) -> None:
        """Waits for a turn unless one is open; ends the process when there are no more turns."""
        if self._is_open:
            return
        line = sys.stdin.readline()
        if not line.strip():
            os._exit(0)  # we are inside another toolkit's training loop
        self._seconds, self._tokens, self._steps, self._is_open = float(line), 0, 0, True
        self._started = time.perf_counter()

    def after_step(self, target_tokens: int) -> None:
        """Counts a step, and answers when the turn is over.

        Args:
            target_tokens: number of the step's target tokens, without padding.
        """
        self._tokens += target_tokens
        self._steps += 1
        seconds = time.perf_counter() - self._started
        if seconds < self._seconds:
            return
        self._is_open = False
        self._answers.write(json.dumps({"target_tokens": self._tokens, "steps": self._steps, "seconds": seconds}) + "\n")
        self._answers.flush()
