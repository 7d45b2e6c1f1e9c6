"""Starts the ranks of one training on this machine, reports their failure as one error, and restarts them when one is killed.

Each rank runs the same command in its own process and session, with the variables that ``torchrun`` would set. A rank writes its
outcome to a file, so that the launcher can report one message for all. Ranks hold the reading end of a pipe: when this process
dies, for any reason, they end too.
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
"""Time for the other ranks to end by themselves after one was killed; they have nothing to save."""
FAILURE_GRACE_SECONDS = 20.0
"""The same after one has failed: rank 0 may still be reporting to MLflow."""
STOP_GRACE_SECONDS = 120.0
"""The same after one has stopped on request: rank 0 may still be writing its state."""

logger = logging.getLogger(__name__)


class RankFault(Seq2SeqError):
    """A training on several ranks failed; carries the fault of the first rank that knows the cause.

    Args:
        message: for the user.
        kind: see :class:`seq2seq_core.outcome.Outcome`.
        exit_code: the exit code that a single-process training would have.
        retryable: whether the same command, with nothing changed, can succeed.
        is_loss: whether ranks are gone for an unknown reason, so that an immediate restart may help.
    """

    def __init__(self, message: str, kind: str, exit_code: int, retryable: bool, is_loss: bool = False) -> None:
        self.kind, self.exit_code, self.retryable, self.is_loss = kind, exit_code, retryable, is_loss
        super().__init__(message)


class RankEnd(NamedTuple):
    """How one rank ended."""

    rank: int
    """The number of the rank, from 0."""
    exit_code: int | None
    """The negative signal number if a signal killed it; None if it did not end in time."""
    outcome: Outcome | None
    """The outcome that it wrote; None if it was killed."""


@dataclass(frozen=True)
class Rendezvous:
    """The address of the store through which ranks find one another.

    Attributes:
        host: host of the store.
        port: port of the store.
        is_served: whether this process serves the store; otherwise rank 0 does.
    """

    host: str
    port: int
    is_served: bool


def run_ranks(command: Sequence[str], number: int, max_restarts: int) -> None:
    """Runs a command on several ranks until all of them have ended.

    Args:
        command: the program and its arguments; when run again, it resumes from its last checkpoint.
        number: number of ranks.
        max_restarts: how often all ranks may be restarted after one was killed.

    Raises:
        Interrupted: this process got a stop signal and forwarded it to the ranks.
        RankFault: a rank failed, or was killed after the last restart.
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
    """The environment variables of one rank, as ``torchrun`` sets them on one machine.

    Args:
        rank: from 0.
        number: number of ranks.
        rendezvous: where they find one another.
        restarts: restarts so far.
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
    """The fault to report: that of the first rank that knows the cause, else the ranks that were killed.

    Args:
        ends: the ends of all ranks, in order; at least one failed.
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
    """Forwards the signals of this process to the ranks.

    Attributes:
        signal: the first signal received, or None.
        processes: the ranks that get the signals.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.processes: list[subprocess.Popen[bytes]] = []

    def receive(self, number: int, frame: FrameType | None) -> None:
        """Notes a signal and forwards it."""
        self.signal = self.signal or signal.Signals(number)
        for process in self.processes:
            process.send_signal(number)

    def interrupted(self) -> Interrupted:
        """The error to report if the ranks were stopped before they wrote an outcome."""
        assert self.signal is not None
        code = EXIT_TERMINATED if self.signal is signal.SIGTERM else EXIT_INTERRUPTED
        return Interrupted(f"training stopped by {self.signal.name}; the same command goes on from its last checkpoint", code)


@contextmanager
def _forwarded_signals() -> Iterator[_Stop]:
    """Forwards SIGINT and SIGTERM during a ``with`` block, then restores the earlier handlers."""
    stop = _Stop()
    earlier = {number: signal.signal(number, stop.receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _run_once(command: Sequence[str], number: int, restarts: int, stop: _Stop) -> list[RankEnd]:
    """Starts all ranks once; returns how each of them ended."""
    with tempfile.TemporaryDirectory(prefix="s2s-ranks-") as folder, serve_rendezvous() as rendezvous:
        outcomes = Path(folder)
        reader, writer = os.pipe()
        stop.processes = []
        try:
            for rank in range(number):
                variables = rank_variables(rank, number, rendezvous, restarts)
                variables |= {OUTCOMES_VARIABLE: folder, PIPE_VARIABLE: str(reader)}
                stop.processes.append(_start(command, variables, reader))
            if stop.signal is not None:  # it came during the start
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
    """Starts a rank in its own session, so that Ctrl-C reaches it only once, through this process."""
    environment = {**os.environ, **variables}
    # The ranks of one machine talk over the loopback, whatever its host name resolves to.
    environment.setdefault("GLOO_SOCKET_IFNAME", _loopback())
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, pass_fds=(pipe,), start_new_session=True)


def _wait_for_all(processes: Sequence[subprocess.Popen[bytes]], outcomes: Path) -> None:
    """Waits until all ranks have ended; after a failure the others have limited time."""
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
    """A rendezvous store in this process, on a free port."""
    import torch.distributed as dist

    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    yield Rendezvous("127.0.0.1", store.port, is_served=True)
    del store


def _loopback() -> str:
    """The name of the loopback interface."""
    import socket

    names = [name for _, name in socket.if_nameindex()]
    return next((name for name in ("lo", "lo0") if name in names), names[0])
