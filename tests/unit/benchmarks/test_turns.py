from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TRAINER = """
from benchmarks.peers.turns import Turns
turns = Turns()
print("what a library prints")
for tokens in range(10, 1000):
    turns.before_step()
    turns.after_step(tokens)
"""


def test_a_trainer_takes_whole_steps_in_its_turns_and_ends_with_the_last_one() -> None:
    trainer = subprocess.run(
        [sys.executable, "-c", TRAINER], input="0\n0\n\n", capture_output=True, text=True, cwd=ROOT, timeout=300, check=True
    )
    answers = [json.loads(line) for line in trainer.stdout.splitlines()]
    assert [(answer["target_tokens"], answer["steps"]) for answer in answers] == [(10, 1), (11, 1)]
    assert "what a library prints" in trainer.stderr
