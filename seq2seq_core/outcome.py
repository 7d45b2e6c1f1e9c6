"""Outcomes: how each stage's last execution ended, stored in ``.s2s/outcomes/`` for the flow.

``dvc repro`` turns every failure into exit code 255. The outcome tells the kind of fault, and whether a retry can help.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from seq2seq_core.redaction.redactor import redact_values


@dataclass(frozen=True)
class Outcome:
    """The end of one execution of a stage.

    Attributes:
        stage: the stage's name.
        kind: ``ok``, ``user_fault``, ``environment_fault``, ``interrupted``, ``crash``, ``peer_lost`` (a training rank lost another
            rank), or ``running`` (not ended; a killed process leaves it behind).
        message: for the user; empty when ok.
        exit_code: the exit code of ``s2s``.
        retryable: whether the unchanged command can succeed if run again.
        pid: the process id.
    """

    stage: str
    kind: str
    message: str
    exit_code: int
    retryable: bool
    pid: int


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Stores an outcome as ``<stage>.json``, by atomic rename and without secrets."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{outcome.stage}.{os.getpid()}.tmp"
    content = json.dumps(redact_values(asdict(outcome)), ensure_ascii=False, indent=1) + "\n"
    # A message may hold a file name that is no valid Unicode.
    draft.write_text(content, encoding="utf-8", errors="replace")
    draft.replace(folder / f"{outcome.stage}.json")


def read_outcome(folder: Path, stage: str) -> Outcome | None:
    """The stored outcome of a stage, or None where there is none that can be read."""
    try:
        outcome = Outcome(**json.loads((folder / f"{stage}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    texts, numbers = (outcome.stage, outcome.kind, outcome.message), (outcome.exit_code, outcome.retryable, outcome.pid)
    is_whole = all(isinstance(text, str) for text in texts) and all(isinstance(number, int) for number in numbers)
    return outcome if is_whole else None
