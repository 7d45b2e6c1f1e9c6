"""The place of this process among the ranks of a training, from the variables of ``torchrun`` and of our own launcher.

Reads only the environment, so that commands that do not train lose no time.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seq2seq_core.errors import EnvironmentFault, Seq2SeqError

OUTCOMES_VARIABLE, PIPE_VARIABLE = "S2S_RANK_OUTCOMES", "S2S_LAUNCHER_PIPE"
SHARED_NOTE = "while several ranks trained together"
ORPHAN_GRACE_SECONDS = 5.0
"""Time between SIGTERM and SIGKILL for a rank whose launcher has died."""


@dataclass(frozen=True)
class RankPlace:
    """The place of a process among those of its training.

    Attributes:
        rank: its number, from 0; rank 0 logs, and writes state and outputs.
        number: number of ranks on all nodes.
        local_rank: its number among the ranks of this node.
        local_number: number of ranks on this node.
        restarts: restarts of the ranks so far.
        outcomes: the folder where the rank writes its outcome for our own launcher; None under ``torchrun``.
    """

    rank: int
    number: int
    local_rank: int
    local_number: int
    restarts: int
    outcomes: Path | None

    @property
    def is_first(self) -> bool:
        """Whether it is rank 0."""
        return self.rank == 0


def outcome_name(rank: int) -> str:
    """The name of a rank's outcome."""
    return f"rank{rank}"


class PeerLost(EnvironmentFault):
    """Another rank has died or does not answer; this rank does not know why."""

    kind = "peer_lost"


class PeerFault(Seq2SeqError):
    """Another rank failed and reported it to this one before it ended.

    Args:
        message: the message of the other rank.
        kind: the kind of its fault.
        exit_code: its exit code.
        retryable: whether the same command, with nothing changed, can succeed.
    """

    def __init__(self, message: str, kind: str, exit_code: int, retryable: bool) -> None:
        self.kind, self.exit_code, self.retryable = kind, exit_code, retryable
        super().__init__(message)


def mark_as_shared(error: BaseException) -> None:
    """Marks an error of a training on several ranks: rank 0 has it too, or will find this rank gone."""
    error.add_note(SHARED_NOTE)


def is_shared(error: BaseException) -> bool:
    """Whether an error was marked by :func:`mark_as_shared`."""
    return SHARED_NOTE in getattr(error, "__notes__", ())


def find_rank_place(environment: Mapping[str, str] = os.environ) -> RankPlace | None:
    """The place that the environment gives this process; None for a process that trains alone.

    Args:
        environment: ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK`` and others that ``torchrun`` sets for each of its processes.
    """
    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return None
    rank, number = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    outcomes = environment.get(OUTCOMES_VARIABLE)
    return RankPlace(
        rank=rank,
        number=number,
        local_rank=int(environment.get("LOCAL_RANK", rank)),
        local_number=int(environment.get("LOCAL_WORLD_SIZE", number)),
        restarts=int(environment.get("TORCHELASTIC_RESTART_COUNT", 0)),
        outcomes=Path(outcomes) if outcomes else None,
    )


def end_with_launcher(environment: Mapping[str, str] = os.environ) -> None:
    """Ends this process when our own launcher dies, for any reason; does nothing without that launcher.

    Args:
        environment: names the pipe whose other end the launcher holds.
    """
    if PIPE_VARIABLE not in environment:
        return
    descriptor = int(environment[PIPE_VARIABLE])
    os.set_inheritable(descriptor, False)
    threading.Thread(target=_wait_for_launcher, args=(descriptor,), daemon=True).start()


def _wait_for_launcher(descriptor: int) -> None:
    """Waits until the pipe closes, then ends this process by SIGTERM, and by SIGKILL after a grace period."""
    os.read(descriptor, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
