"""Turns of training on request, so that several trainers can be timed alternately; standard library only.

A trainer's process reads a line a turn from its standard input, the seconds that the turn lasts at least, trains whole steps, and
answers with a line of JSON on its standard output. All else that it prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time


class Turns:
    """The turns of this process; a step asks before it begins, and tells what it was made of."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self._seconds = self._started = 0.0
        self._tokens = self._steps = 0
        self._is_open = False

    def before_step(self) -> None:
        """Waits for a turn, unless one is going on; ends the process when there will be no more."""
        if self._is_open:
            return
        line = sys.stdin.readline()
        if not line.strip():
            os._exit(0)  # from inside somebody else's training loop
        self._seconds, self._tokens, self._steps, self._is_open = float(line), 0, 0, True
        self._started = time.perf_counter()

    def after_step(self, target_tokens: int) -> None:
        """Counts a step, and answers where the turn is over.

        Args:
            target_tokens: that it learned to predict, padding left out.
        """
        self._tokens += target_tokens
        self._steps += 1
        seconds = time.perf_counter() - self._started
        if seconds < self._seconds:
            return
        self._is_open = False
        self._answers.write(json.dumps({"target_tokens": self._tokens, "steps": self._steps, "seconds": seconds}) + "\n")
        self._answers.flush()
