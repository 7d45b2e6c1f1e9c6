from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from flows.server.automations import crashed_runs, dead_runs, ensure_automations, late_runs
from flows.server.run_names import model_tag
from seq2seq_core.config.settings import parse_settings

from .conftest import PARAMS
from .waiting import wait_until
from .webhook_server import webhook_server

SHORTEST_SECONDS = 10.0
"""Prefect waits at least this long for an event that does not come."""


def settings(model_name: str, **notify: Any) -> Any:
    values = {**PARAMS, "register": {"model_name": model_name}, "runtime": {"flow": {"notify": notify}}}
    return parse_settings(values, "params.yaml")


def test_setting_up_twice_changes_nothing_and_a_webhook_that_is_gone_is_removed(prefect_api: str) -> None:
    from prefect.client.orchestration import get_client

    model = f"toy-{uuid.uuid4().hex[:8]}"
    dead = f"seq2seq-flows: dead runs of {model}"
    names = [f"seq2seq-flows: webhook of {model}, {kind}" for kind in ("crashed runs", "runs without a worker")]
    with get_client(sync_client=True) as client:
        first = ensure_automations(client, settings(model, webhook_url="http://127.0.0.1:9/?token=secret"))
        assert first == [f"automation {name}: created" for name in (dead, *names)]
        again = ensure_automations(client, settings(model, webhook_url="http://127.0.0.1:9/?token=other"))
        assert again == [f"automation {name}: there already" for name in (dead, *names)]
        only_success = settings(model, webhook_url="http://127.0.0.1:9", on=["success"])
        assert ensure_automations(client, only_success)[1:] == [f"automation {name}: removed" for name in names]
        assert ensure_automations(client, settings(model))[1:] == []


def test_a_changed_time_updates_the_automation(prefect_api: str) -> None:
    from prefect.client.orchestration import get_client

    model = f"toy-{uuid.uuid4().hex[:8]}"
    with get_client(sync_client=True) as client:
        ensure_automations(client, settings(model))
        dead = f"seq2seq-flows: dead runs of {model}"
        other = {"register": {"model_name": model}, "runtime": {"flow": {"dead_after_seconds": 1200.0}}}
        assert ensure_automations(client, parse_settings({**PARAMS, **other}, "params.yaml")) == [f"automation {dead}: updated"]
        (automation,) = client.read_automations_by_name(dead)
        assert automation.trigger.within.total_seconds() == 1200.0  # type: ignore[union-attr]
        assert ensure_automations(client, settings(model)) == [f"automation {dead}: updated"]


@pytest.fixture
def automate(prefect_api: str) -> Any:
    """Creates automations, and removes them after the test."""
    from prefect.client.orchestration import get_client

    made: list[uuid.UUID] = []
    with get_client(sync_client=True) as client:

        def create(automation: Any) -> None:
            made.append(client.create_automation(automation))

        yield create
        for automation_id in made:
            client.delete_automation(automation_id)


@pytest.mark.slow
def test_silent_runs_are_marked_as_crashed_and_the_webhook_hears_of_them_and_of_late_ones(automate: Callable[[Any], None]) -> None:
    from prefect import flow
    from prefect.blocks.webhook import Webhook
    from prefect.client.orchestration import get_client
    from prefect.events import emit_event
    from prefect.events.worker import EventsWorker
    from prefect.states import Running, Scheduled
    from pydantic import SecretStr

    @flow(name="retrain")
    def nothing() -> None: ...

    model = f"toy-{uuid.uuid4().hex[:8]}"
    related = [{"prefect.resource.id": f"prefect.tag.{model_tag(model)}", "prefect.resource.role": "tag"}]
    with webhook_server() as (url, heard), get_client(sync_client=True) as client:
        block = uuid.UUID(str(Webhook(method="POST", url=SecretStr(url)).save(f"test-{uuid.uuid4().hex[:8]}")))
        for automation in (
            dead_runs(model, SHORTEST_SECONDS),
            crashed_runs(model, block),
            late_runs(model, block, SHORTEST_SECONDS),
        ):
            automate(automation.model_copy(update={"name": f"{automation.name} {model}"}))
        tags = [model_tag(model)]
        dead = client.create_flow_run(nothing, tags=tags, state=Running(), name="silent")
        late = client.create_flow_run(nothing, tags=tags, state=Scheduled(), name="late")
        emit_event("prefect.flow-run.heartbeat", {"prefect.resource.id": f"prefect.flow-run.{dead.id}"}, related=related)
        emit_event("prefect.flow-run.Late", {"prefect.resource.id": f"prefect.flow-run.{late.id}"}, related=related)
        EventsWorker.drain_all(timeout=10)
        wait_until(lambda: len(heard) == 2, "both notifications")
        by_name = {body["flow_run"]["name"]: body for body in heard}
        assert client.read_flow_run(dead.id).state_name == "Crashed"
    silence = "the process of this run has sent no sign of life for 10 s: it was killed, or its machine is down"
    assert by_name["silent"]["failure"] == {"kind": "crash", "message": silence}
    assert by_name["silent"]["text"] == f"silent: failure: {silence}"
    assert by_name["silent"]["flow_run"]["id"] == str(dead.id)
    late_message = "no worker has started this run of a deployment, which was due more than 10 s ago; is one running?"
    assert by_name["late"]["failure"] == {"kind": "environment_fault", "message": late_message}
