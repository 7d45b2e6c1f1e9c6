"""Starts the processes of one training on this machine, answers for them, and starts them again when one is killed.

Each rank is the same command in a process and session of its own, with the variables that ``torchrun`` would set. What a rank has
to say of its end it leaves in a file, so that one message comes out of all. Ranks hold the end of a pipe: when this process dies,
however it dies, they end too.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from seq2seq_core.errors import EXIT_CRASH, EXIT_INTERRUPTED, EXIT_TERMINATED, Interrupted, Seq2SeqError
from seq2seq_core.outcome import Outcome, read_outcome
from seq2seq_core.training.distributed.rank_environment import OUTCOMES_VARIABLE, PIPE_VARIABLE, PeerLost, outcome_name

POLL_SECONDS = 0.05
LOSS_GRACE_SECONDS = 5.0
"""How long the other ranks have to end of themselves once one was killed: there is nothing that they could save."""
FAILURE_GRACE_SECONDS = 20.0
"""The same once one has failed: rank 0 may be telling MLflow."""
STOP_GRACE_SECONDS = 120.0
"""How long the other ranks have once one has stopped in good order: rank 0 may still be writing its state."""

logger = logging.getLogger(__name__)


class RankFault(Seq2SeqError):
    """Several processes that train together failed; carries what the one that failed first had to say.

    Args:
        message: for a person.
        kind: see :class:`seq2seq_core.outcome.Outcome`.
        exit_code: what a process that trains alone would have ended with.
        retryable: whether the same command, with nothing changed, can succeed.
        is_loss: whether nothing is known but that ranks are gone: to start them again may help at once.
    """

    def __init__(self, message: str, kind: str, exit_code: int, retryable: bool, is_loss: bool = False) -> None:
        self.kind, self.exit_code, self.retryable, self.is_loss = kind, exit_code, retryable, is_loss
        super().__init__(message)


class RankEnd(NamedTuple):
    """How one rank ended."""

    rank: int
    """Its number."""
    exit_code: int | None
    """Minus the signal that killed it, if one did; None where it did not end in time."""
    outcome: Outcome | None
    """What it left; None where it was killed."""


@dataclass(frozen=True)
class Rendezvous:
    """Where ranks find one another.

    Attributes:
        host: of the store.
        port: of the store.
        is_served: whether this process serves the store; otherwise rank 0 does.
    """

    host: str
    port: int
    is_served: bool


def run_ranks(command: Sequence[str], number: int, max_restarts: int) -> None:
    """Runs a command as so many ranks to their common end.

    Args:
        command: the program and its arguments; what it trains goes on from its last checkpoint when it is run again.
        number: of ranks.
        max_restarts: how often all are started again after one was killed.

    Raises:
        Interrupted: this process was asked to stop, and so were the ranks.
        RankFault: a rank failed, or was killed once too often.
    """
    with _forwarded_signals() as stop:
        for restarts in range(max_restarts + 1):
            ends = _run_once(command, number, restarts, stop)
            if all(end.exit_code == 0 for end in ends):
                return
            fault = explain_ends(ends)
            if stop.signal is not None:
                raise fault if fault.kind == "interrupted" else stop.interrupted()
            if not fault.is_loss or restarts == max_restarts:
                raise fault
            logger.warning(
                "%s; all %d ranks are started again from the last checkpoint (restart %d of %d)",
                fault, number, restarts + 1, max_restarts,
            )  # fmt: skip


def rank_variables(rank: int, number: int, rendezvous: Rendezvous, restarts: int = 0) -> dict[str, str]:
    """The environment variables of one rank among those of one machine: those of ``torchrun``.

    Args:
        rank: from 0.
        number: of ranks.
        rendezvous: where they find one another.
        restarts: how often they were started before.
    """
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(number),
        "LOCAL_WORLD_SIZE": str(number),
        "MASTER_ADDR": rendezvous.host,
        "MASTER_PORT": str(rendezvous.port),
        "TORCHELASTIC_RESTART_COUNT": str(restarts),
        "TORCHELASTIC_USE_AGENT_STORE": str(rendezvous.is_served),
    }


def explain_ends(ends: Sequence[RankEnd]) -> RankFault:
    """What to say of ranks of which at least one failed: the first of them that knows, else which one was killed.

    Args:
        ends: of all ranks, in order.
    """
    told = [end.outcome for end in ends if end.outcome and end.outcome.kind not in ("ok", "running")]
    for outcome in told:
        if outcome.kind != PeerLost.kind:
            return RankFault(outcome.message, outcome.kind, outcome.exit_code, outcome.retryable)
    killed = {end.rank: signal.Signals(-end.exit_code).name for end in ends if end.exit_code and end.exit_code < 0}
    if killed:
        names = ", ".join(f"rank {rank} was killed by {name}" for rank, name in killed.items())
        message = f"{names} (by hand, or by the system for lack of memory)"
        return RankFault(message, "crash", EXIT_CRASH, retryable=True, is_loss=True)
    if told:
        return RankFault(told[0].message, "crash", EXIT_CRASH, retryable=True, is_loss=True)
    end = next(end for end in ends if end.exit_code)
    return RankFault(f"rank {end.rank} ended with exit code {end.exit_code} and no word", "crash", EXIT_CRASH, retryable=True)


class _Stop:
    """Passes the signals that this process gets on to the ranks.

    Attributes:
        signal: the first one that came; None while none has.
        processes: those that are told.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.processes: list[subprocess.Popen[bytes]] = []

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Notes a signal and passes it on."""
        self.signal = self.signal or signal.Signals(number)
        for process in self.processes:
            process.send_signal(number)

    def interrupted(self) -> Interrupted:
        """What to say where the ranks were stopped before they could say anything."""
        assert self.signal is not None
        code = EXIT_TERMINATED if self.signal is signal.SIGTERM else EXIT_INTERRUPTED
        return Interrupted(f"training stopped by {self.signal.name}; the same command goes on from its last checkpoint", code)


@contextmanager
def _forwarded_signals() -> Iterator[_Stop]:
    """Passes SIGINT and SIGTERM on for the length of a ``with`` block; the earlier handlers are put back after it."""
    stop = _Stop()
    earlier = {number: signal.signal(number, stop.receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _run_once(command: Sequence[str], number: int, restarts: int, stop: _Stop) -> list[RankEnd]:
    """The ends of all ranks, started once."""
    with tempfile.TemporaryDirectory(prefix="s2s-ranks-") as folder, serve_rendezvous() as rendezvous:
        outcomes = Path(folder)
        reader, writer = os.pipe()
        stop.processes = []
        try:
            for rank in range(number):
                variables = rank_variables(rank, number, rendezvous, restarts)
                variables |= {OUTCOMES_VARIABLE: folder, PIPE_VARIABLE: str(reader)}
                stop.processes.append(_start(command, variables, reader))
            if stop.signal is not None:  # it came while they were being started
                stop.receive(stop.signal, None)
            _wait_for_all(stop.processes, outcomes)
            codes = [process.returncode for process in stop.processes]
        finally:
            for process in stop.processes:
                process.kill()
                process.wait()
            os.close(reader)
            os.close(writer)
        return [RankEnd(rank, code, read_outcome(outcomes, outcome_name(rank))) for rank, code in enumerate(codes)]


def _start(command: Sequence[str], variables: Mapping[str, str], pipe: int) -> subprocess.Popen[bytes]:
    """A rank, in a session of its own: Ctrl-C reaches it through this process, once."""
    environment = {**os.environ, **variables}
    # The ranks of one machine talk over the loopback, whatever its host name resolves to.
    environment.setdefault("GLOO_SOCKET_IFNAME", _loopback())
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, pass_fds=(pipe,), start_new_session=True)


def _wait_for_all(processes: Sequence[subprocess.Popen[bytes]], outcomes: Path) -> None:
    """Returns when all ranks have ended; once one has failed, the others have a limited time."""
    deadline = float("inf")
    while None in [process.poll() for process in processes]:
        for rank, process in enumerate(processes):
            if process.returncode and deadline == float("inf"):
                outcome = read_outcome(outcomes, outcome_name(rank))
                is_in_order = outcome is not None and outcome.kind == Interrupted.kind
                grace = LOSS_GRACE_SECONDS if process.returncode < 0 else FAILURE_GRACE_SECONDS
                deadline = time.monotonic() + (STOP_GRACE_SECONDS if is_in_order else grace)
        if time.monotonic() > deadline:
            return
        time.sleep(POLL_SECONDS)


@contextmanager
def serve_rendezvous() -> Iterator[Rendezvous]:
    """A store in this process, through which ranks find one another, at a port that was free."""
    import torch.distributed as dist

    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    yield Rendezvous("127.0.0.1", store.port, is_served=True)
    del store


def _loopback() -> str:
    """The name of the loopback interface."""
    import socket

    names = [name for _, name in socket.if_nameindex()]
    return next((name for name in ("lo", "lo0") if name in names), names[0])
