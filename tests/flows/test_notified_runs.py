"""Runs that only the Prefect server can tell of: its automations at work, on a real server whose schedules make the runs."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flows.server.automations import (
    ENDED,
    HEARTBEAT,
    LATE_SECONDS,
    SHORTEST_WAIT_SECONDS,
    crashed_runs,
    dead_runs,
    late_runs,
)
from flows.server.run_events import SCHEDULED, announce_schedule, announced_run
from flows.server.run_names import model_tag

from .evaluated_events import count_events, wait_until_automations_work
from .waiting import wait_until
from .webhook_server import webhook_server

pytestmark = pytest.mark.slow


@dataclass
class Night:
    """Runs of one model, and the automations that watch them.

    Attributes:
        client: of the server.
        tags: the tags of the runs.
        scheduled: runs that a schedule has made, without the event that other runs have.
        heard: the notifications.
    """

    client: Any
    tags: list[str]
    scheduled: list[Any]
    heard: list[Any]

    def start(self, name: str, *states: Any) -> Any:
        """A run in the last of some states; by default Running."""
        from prefect import flow
        from prefect.states import Running

        @flow(name="retrain")
        def nothing() -> None: ...

        first, *later = states or (Running(),)
        run = self.client.create_flow_run(nothing, tags=self.tags, state=first, name=name)
        self.set(run, *later)
        return run

    def emit(self, event: str, run: Any) -> None:
        from prefect.events import emit_event

        related = [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in self.tags]
        emit_event(event, {"prefect.resource.id": f"prefect.flow-run.{run.id}"}, related=related)

    def set(self, run: Any, *states: Any) -> None:
        for state in states:
            self.client.set_flow_run_state(run.id, state, force=True)

    def state_of(self, run: Any) -> str:
        return str(self.client.read_flow_run(run.id).state_name)

    def make_due(self, run: Any, made_seconds_ago: float) -> None:
        """Moves a run's time to the past, as if its schedule had been made some time ago."""
        due, made = (_in_database(seconds) for seconds in (2 * LATE_SECONDS, made_seconds_ago))
        with sqlite3.connect(_database(), timeout=60.0) as database:
            database.execute("UPDATE flow_run_state SET timestamp = ? WHERE flow_run_id = ?", (made, str(run.id)))
            database.execute("UPDATE flow_run SET next_scheduled_start_time = ? WHERE id = ?", (due, str(run.id)))
        database.close()

    def events_of(self, resource: str) -> list[str]:
        """The names of a resource's events, the earliest first."""
        asked = {"filter": {"resource": {"id": [resource]}}, "limit": 50}
        found = self.client.request("POST", "/events/filter", json=asked).json()["events"]
        return [event["event"] for event in sorted(found, key=lambda event: event["occurred"])]

    def heard_of(self, run: Any) -> list[Any]:
        return [body for body in self.heard if body["flow_run"]["id"] == str(run.id)]


def _database() -> str:
    from prefect.settings import get_current_settings

    url = get_current_settings().server.database.connection_url
    assert url is not None
    return url.get_secret_value().removeprefix("sqlite+aiosqlite:///")


def _in_database(seconds_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%d %H:%M:%S.%f")


@pytest.fixture(scope="module")
def night(prefect_api: str) -> Iterator[Night]:
    from prefect.blocks.webhook import Webhook
    from prefect.client.orchestration import get_client
    from pydantic import SecretStr

    model = f"toy-{uuid.uuid4().hex[:8]}"
    tags = [model_tag(model)]
    with webhook_server() as (url, heard), get_client(sync_client=True) as client:
        block = uuid.UUID(str(Webhook(method="POST", url=SecretStr(url)).save(f"test-{uuid.uuid4().hex[:8]}")))
        late = late_runs(model, block, late_seconds=LATE_SECONDS, marked_seconds=LATE_SECONDS)
        made = [
            client.create_automation(one) for one in (dead_runs(model, SHORTEST_WAIT_SECONDS), crashed_runs(model, block), late)
        ]
        wait_until_automations_work(client)
        deployment = _deploy(client, tags)
        scheduled: list[Any] = []

        def is_scheduled() -> bool:
            scheduled[:] = [run for run in client.read_flow_runs(limit=200) if run.deployment_id == deployment]
            return len(scheduled) >= 3

        wait_until(is_scheduled, "the runs of the schedule")
        yield Night(client, tags, scheduled, heard)
        client.delete_deployment(deployment)
        for automation in made:
            client.delete_automation(automation)


def _deploy(client: Any, tags: list[str]) -> uuid.UUID:
    from prefect import flow
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import IntervalSchedule

    @flow(name="retrain")
    def nothing() -> None: ...

    daily = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(days=1)), active=True)
    made = client.create_deployment(client.create_flow(nothing), name=f"toy-{uuid.uuid4().hex[:8]}", tags=tags, schedules=[daily])
    return uuid.UUID(str(made))


def test_a_run_that_nobody_takes_is_notified_of_once_and_one_that_starts_is_not(night: Night) -> None:
    from prefect.states import Pending, Running

    waiting, taken = night.scheduled[:2]
    # The event of the second waits for one that Prefect does not send; its process sends it.
    night.make_due(waiting, made_seconds_ago=2 * LATE_SECONDS)
    night.make_due(taken, made_seconds_ago=0.0)
    wait_until(lambda: night.state_of(taken) == "Late", "the server's mark")
    night.set(taken, Pending(), Running())
    announce_schedule(taken)
    time.sleep(2.0)  # Prefect with SQLite loses what it evaluates for one run at the same moment
    night.emit(ENDED, taken)
    wait_until(lambda: bool(night.heard_of(waiting)), "the notification")
    (body,) = night.heard_of(waiting)
    name = night.client.read_deployment(waiting.deployment_id).name
    message = f"no worker has started this run of {name}, which was due more than 5 min 00 s ago; is one running?"
    assert body["failure"] == {"kind": "environment_fault", "message": message}
    assert body["flow_run"]["url"].endswith(f"/runs/flow-run/{waiting.id}")
    assert night.heard_of(taken) == []


def test_a_crash_of_the_first_run_of_a_schedule_is_notified_of_without_a_wait(night: Night) -> None:
    from prefect.states import Crashed, Pending, Running

    first = night.scheduled[2]
    night.set(first, Pending(), Running())
    announce_schedule(first)
    night.set(first, Crashed(message="killed"))
    wait_until(lambda: bool(night.heard_of(first)), "the notification")
    assert [body["failure"] for body in night.heard_of(first)] == [{"kind": "crash", "message": "killed"}]


def test_silent_runs_are_marked_as_crashed_and_ended_ones_are_left_alone(night: Night) -> None:
    from prefect.states import Cancelled, Completed

    ended, cancelled, silent = (night.start(name) for name in ("ended", "cancelled", "silent"))
    ends: list[tuple[Any, Any]] = [(ended, Completed()), (cancelled, Cancelled())]
    for run, state in ends:
        night.emit(HEARTBEAT, run)
        night.set(run, state)
        night.emit(HEARTBEAT, run)
        night.emit(ENDED, run)
    for run in (ended, cancelled):
        wait_until(lambda: ENDED in night.events_of(f"prefect.flow-run.{run.id}"), "the last event")  # noqa: B023
    night.emit(HEARTBEAT, silent)
    wait_until(lambda: bool(night.heard_of(silent)), "the notification")
    (body,) = night.heard_of(silent)
    silence = "the process of this run has sent no sign of life for 10 s: it was killed, never began, or its machine is down"
    assert body["failure"] == {"kind": "crash", "message": silence}
    assert body["text"] == f"silent: failure: {silence}"
    assert night.state_of(silent) == "Crashed"
    assert [night.state_of(ended), night.state_of(cancelled)] == ["Completed", "Cancelled"]
    assert night.heard_of(ended) == night.heard_of(cancelled) == []


def test_a_run_whose_worker_died_after_taking_it_is_marked(night: Night) -> None:
    from prefect.states import Pending, Scheduled, Submitting

    taken = night.start("taken", Scheduled(), Pending(), Submitting())  # as a worker sets them
    wait_until(lambda: bool(night.heard_of(taken)), "the notification")
    assert night.state_of(taken) == "Crashed"


def test_the_run_that_holds_the_workspace_marks_those_without_a_process(night: Night) -> None:
    from prefect import flow
    from prefect.states import Pending, Running

    from flows.server.earlier_runs import WAITING, mark_dead_runs

    @flow(name="retrain")
    def holder(silent_seconds: float) -> list[str]:
        return mark_dead_runs(night.tags[0].removeprefix("model:"), silent_seconds)

    deployment = night.client.create_deployment(night.client.create_flow(holder), name=f"toy-{uuid.uuid4().hex[:8]}")
    states: tuple[Any, ...] = (Running(), Pending(), Running(name=WAITING))
    deployed = [
        night.client.create_flow_run_from_deployment(deployment, state=state, tags=night.tags, name=f"lost {place}")
        for place, state in enumerate(states)
    ]
    by_hand = night.start("by hand")
    runs = [*deployed, by_hand]
    assert holder(3600.0) == []
    assert [night.state_of(run) for run in runs] == ["Running", "Pending", WAITING, "Running"]
    lines = [line.partition(" of ")[0] for line in holder(0.0)]  # also about the runs of other tests
    assert sorted(line for line in lines if "lost" in line) == ["marked the run lost 0", "marked the run lost 1"]
    assert [night.state_of(run) for run in runs] == ["Crashed", "Crashed", WAITING, "Running"]
    night.client.delete_deployment(deployment)


def test_a_crash_that_the_server_did_not_tell_of_is_told_by_the_next_run_and_once(prefect_api: str) -> None:
    from prefect import flow
    from prefect.blocks.webhook import Webhook
    from prefect.client.orchestration import get_client
    from prefect.states import Crashed
    from pydantic import SecretStr

    from flows.server.earlier_runs import repeat_untold_crashes

    model = f"toy-{uuid.uuid4().hex[:8]}"

    @flow(name="retrain")
    def later(held_seconds: float) -> list[str]:
        return [line.partition(" of ")[0] for line in repeat_untold_crashes(model, held_seconds)]

    with webhook_server() as (url, heard), get_client(sync_client=True) as client:
        block = uuid.UUID(str(Webhook(method="POST", url=SecretStr(url)).save(f"test-{uuid.uuid4().hex[:8]}")))
        automation = client.create_automation(crashed_runs(model, block))
        wait_until_automations_work(client)
        deployment = client.create_deployment(client.create_flow(later), name=model)
        crashed: Any = Crashed(message="exit code 1")
        lost = client.create_flow_run_from_deployment(deployment, state=crashed, name="lost")
        client.update_flow_run(lost.id, tags=[model_tag(model)])  # its event has no tag: no automation takes notice
        seen = client.create_flow_run_from_deployment(deployment, state=crashed, name="seen", tags=[model_tag(model)])
        wait_until(lambda: count_events(client, "prefect.flow-run.Crashed", f"prefect.flow-run.{lost.id}") == 1, "its event")

        def has_told(times: int) -> bool:
            return len(heard) == count_events(client, "prefect.automation.triggered", f"prefect.automation.{automation}") == times

        wait_until(lambda: has_told(1), "what the server tells of")
        assert later(3600.0) == []  # as long as the server may still tell of it itself
        assert later(0.0) == ["the webhook was not told that the run lost"]
        wait_until(lambda: has_told(2), "what the next run tells of")
        assert [body["flow_run"]["id"] for body in heard] == [str(seen.id), str(lost.id)]
        assert heard[1]["failure"] == {"kind": "crash", "message": "exit code 1"}
        assert later(0.0) == []
        client.delete_automation(automation)
        client.delete_deployment(deployment)


@pytest.mark.parametrize("fault", [None, ValueError("a fault")])
def test_the_last_event_of_a_run_says_that_no_sign_of_life_follows(night: Night, fault: Exception | None) -> None:
    from prefect import flow, tags
    from prefect.runtime import flow_run

    seen: list[str] = []

    @flow(name="retrain")
    def announced() -> None:
        with announced_run():
            seen.append(str(flow_run.id))
            if fault is not None:
                raise fault

    with tags(*night.tags):
        announced(return_state=True)
    events = f"prefect.flow-run.{seen[0]}"
    wait_until(lambda: {ENDED, HEARTBEAT} <= set(night.events_of(events)), "the events")
    ours = [event for event in night.events_of(events) if event in (HEARTBEAT, ENDED, SCHEDULED)]
    assert ours[-1] == ENDED
