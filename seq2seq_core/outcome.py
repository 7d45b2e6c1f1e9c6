"""How a stage's last execution ended, left in ``.s2s/outcomes/`` for whoever drives the stages.

Through ``dvc repro`` every failure is exit code 255, so a driver reads here what kind of fault it was and whether a retry can help.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """The end of one execution of a stage.

    Attributes:
        stage: the stage's name.
        kind: ``ok``, ``user_fault``, ``environment_fault``, ``interrupted``, ``crash``, ``peer_lost`` (a rank of a
            training that lost another one), or ``running`` while it has not ended (what is left of a process that was killed).
        message: for a person; empty when ok.
        exit_code: of ``s2s``.
        retryable: whether the same command, with nothing changed, can succeed.
        pid: of the process.
    """

    stage: str
    kind: str
    message: str
    exit_code: int
    retryable: bool
    pid: int


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Stores an outcome as ``<stage>.json``, by atomic rename."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{outcome.stage}.{os.getpid()}.tmp"
    draft.write_text(json.dumps(asdict(outcome), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draft.replace(folder / f"{outcome.stage}.json")


def read_outcome(folder: Path, stage: str) -> Outcome | None:
    """The stored outcome of a stage, or None where there is none that can be read."""
    try:
        return Outcome(**json.loads((folder / f"{stage}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
