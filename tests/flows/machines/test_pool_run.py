"""The flow's view of a run on a work pool, with a Prefect server that answers as the tests say."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Crashed, Failed, Running, Scheduled

from flows.graph.stage_failure import StageFailed
from flows.machines import pool_run
from flows.machines.pool_run import PoolRun
from flows.machines.stage_order import BEAT_LABEL, StageAnswer
from flows.processes.cancellation import Cancellation
from seq2seq_core.errors import Interrupted

AWAY = "away"
"""In place of a state: the server does not answer."""


@dataclass
class Server:
    """The states of one run as its flow sees them, one a look; the last one stays.

    Args:
        states: each with a sign of life.
        answer: the run's artifact.
    """

    states: list[Any]
    answer: StageAnswer | str | None = None
    lines: list[str] = field(default_factory=list)
    set_states: list[State[Any]] = field(default_factory=list)
    looks: int = 0
    lines_a_look: int = 1000

    def read_flow_run(self, _: uuid.UUID) -> SimpleNamespace:
        state, beat = self.states[min(self.looks, len(self.states) - 1)]
        self.looks += 1
        if state is AWAY:
            raise httpx.ConnectError("refused")
        return SimpleNamespace(state=state, labels={BEAT_LABEL: beat})

    def read_logs(self, _: object, limit: int, offset: int, sort: object) -> list[SimpleNamespace]:
        written = self.lines[: self.looks * self.lines_a_look]
        return [SimpleNamespace(message=line) for line in written[offset : offset + limit]]

    def read_artifacts(self, **_: object) -> list[SimpleNamespace]:
        text = self.answer.model_dump_json() if isinstance(self.answer, StageAnswer) else self.answer
        return [] if text is None else [SimpleNamespace(data=text)]

    def set_flow_run_state(self, _: uuid.UUID, state: State[Any], force: bool = False) -> None:
        self.set_states.append(state)


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[StageAnswer, list[str]]]:
    """Follows a run of ``train`` to its end; time goes by one second a look."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def go_by(seconds: float) -> None:
        now[0] += 1.0

    monkeypatch.setattr(time, "sleep", go_by)
    monkeypatch.setattr(Cancellation, "wait", lambda self, seconds: go_by(seconds))

    def run(server: Server, cancellation: Cancellation | None = None) -> tuple[StageAnswer, list[str]]:
        @contextmanager
        def ask_once() -> Iterator[Server]:
            yield server

        monkeypatch.setattr(pool_run, "ask_once", ask_once)
        lines: list[str] = []
        answer = PoolRun("train", "gpu", uuid.uuid4(), 5.0).follow(lines.append, cancellation or Cancellation())
        return answer, lines

    return run


RAN = StageAnswer(state="ran", reason="never run", entry={"cmd": "s2s train"})


def test_the_lines_come_once_and_the_answer_last(follow: Callable[..., tuple[StageAnswer, list[str]]]) -> None:
    server = Server([(Scheduled(), None), (Running(), "1"), (Running(), "2"), (Completed(), "3")], RAN)
    server.lines = [f"line {number}" for number in range(450)]
    answer, lines = follow(server)
    assert answer == RAN
    assert sorted(lines) == sorted([*server.lines, "waiting for a worker of the pool gpu"])


def test_a_silent_run_is_lost_and_marked_so_that_its_process_would_stop(
    follow: Callable[..., tuple[StageAnswer, list[str]]],
) -> None:
    server = Server([(Running(), "1")] * 20)
    with pytest.raises(StageFailed) as caught:
        follow(server)
    assert str(caught.value) == (
        "train: on the pool gpu: no sign of life for 5 s: the worker was killed, or its machine is down (runtime.flow.pools)"
    )
    assert (caught.value.kind, caught.value.retryable) == ("crash", True)
    assert [state.is_crashed() for state in server.set_states] == [True]


@pytest.mark.parametrize(
    "states",
    [
        [(Scheduled(), None)] * 30,  # no worker yet
        [(Running(), str(number // 4)) for number in range(30)],  # a sign every fourth look
        [*[(Running(), "1")] * 4, *[(AWAY, "")] * 30, *[(Running(), "1")] * 4],  # the server was away, not the worker
    ],
)
def test_a_run_that_waits_or_lives_or_cannot_be_seen_is_not_lost(
    follow: Callable[..., tuple[StageAnswer, list[str]]], states: list[Any]
) -> None:
    assert follow(Server([*states, (Completed(), "end")], RAN))[0] == RAN


def test_new_lines_are_signs_of_life_too(follow: Callable[..., tuple[StageAnswer, list[str]]]) -> None:
    server = Server([*[(Running(), "1")] * 20, (Completed(), "1")], RAN)
    server.lines = [f"step {number}" for number in range(30)]
    server.lines_a_look = 1
    assert follow(server)[0] == RAN


def test_a_cancelled_flow_asks_its_run_to_stop(follow: Callable[..., tuple[StageAnswer, list[str]]]) -> None:
    cancellation = Cancellation()
    cancellation.request()
    server = Server([(Running(), "1"), (Running(), "2"), (Cancelled(), "3")])
    with pytest.raises(Interrupted, match=r"^train: stopped, because the flow run was cancelled$"):
        follow(server, cancellation)
    assert [state.name for state in server.set_states] == ["Cancelling"]

    deaf = Server([(Running(), str(number)) for number in range(100)])
    with pytest.raises(Interrupted, match=r"^train: asked its worker to stop, because the flow run was cancelled$"):
        follow(deaf, cancellation)


@pytest.mark.parametrize(
    ("state", "message", "kind", "retryable"),
    [
        (Crashed(message="exit code 137"), "train: its run on the pool gpu ended as Crashed: exit code 137", "crash", True),
        (Failed(), "train: its run on the pool gpu ended as Failed: without a message", "crash", True),
        (Cancelled(), "train: its run on the pool gpu was cancelled on the Prefect server", "interrupted", False),
    ],
)
def test_a_run_without_an_answer_fails_as_it_ended(
    follow: Callable[..., tuple[StageAnswer, list[str]]], state: State[Any], message: str, kind: str, retryable: bool
) -> None:
    with pytest.raises(StageFailed) as caught:
        follow(Server([(Running(), "1"), (state, "1")]))
    assert (str(caught.value), caught.value.kind, caught.value.retryable) == (message, kind, retryable)


def test_an_answer_of_another_version_is_a_fault_to_mend(follow: Callable[..., tuple[StageAnswer, list[str]]]) -> None:
    with pytest.raises(StageFailed, match=r"^train: the answer of its worker is not of this version: 1 faults$") as caught:
        follow(Server([(Completed(), "1")], json.dumps({"state": "ran", "reason": "", "colour": "red"})))
    assert not caught.value.retryable
