from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import pytest
from httpx import Response

from flows.server.automations import LATE_SECONDS, crashed_runs, ensure_automations
from seq2seq_core.config.settings import parse_settings

from .conftest import PARAMS


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


def test_a_server_that_marks_late_runs_soon_is_named(prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.client.orchestration import get_client

    model = f"toy-{uuid.uuid4().hex[:8]}"
    by_default = {"server": {"services": {"late_runs": {"after_seconds": "PT15S"}}}}
    with get_client(sync_client=True) as client:
        request = client.request

        def answer(method: Any, path: Any, **named: Any) -> Any:
            return Response(200, json=by_default) if path == "/admin/settings" else request(method, path, **named)

        monkeypatch.setattr(client, "request", answer)
        *_, note = ensure_automations(client, settings(model, webhook_url="http://127.0.0.1:9"))
        (late,) = client.read_automations_by_name(f"seq2seq-flows: webhook of {model}, runs without a worker")
    assert late.trigger.within.total_seconds() == 585.0  # type: ignore[union-attr]
    assert note == (
        "note: the notification of a late run that was due within 5 min of its deployment may take 15 min; it comes in time if the "
        "Prefect server starts with PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS=300"
    )


def test_events_of_a_run_follow_each_other_for_as_long_as_the_note_says() -> None:
    from prefect.events.utilities import TIGHT_TIMING
    from prefect.server.events.ordering import PRECEDING_EVENT_LOOKBACK

    assert TIGHT_TIMING.total_seconds() == LATE_SECONDS
    assert PRECEDING_EVENT_LOOKBACK.total_seconds() == 15 * 60.0


def test_a_server_that_does_not_know_its_pages_gives_the_address_that_the_setup_used(prefect_api: str) -> None:
    from prefect.client.schemas.objects import FlowRun
    from prefect.server.events.jinja_filters import all_filters
    from prefect.server.utilities.user_templates import register_user_template_filters, render_user_template
    from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

    payload = crashed_runs("toy", uuid.uuid4()).actions[0].payload  # type: ignore[union-attr]
    run = FlowRun.model_validate({"flow_id": uuid.uuid4(), "name": "toy", "state": {"type": "CRASHED", "message": "killed"}})
    register_user_template_filters(all_filters)
    with temporary_settings({PREFECT_API_URL: None, PREFECT_UI_URL: None}):
        body = json.loads(asyncio.run(render_user_template(payload, {"flow_run": run, "deployment": {}})))
    assert body["flow_run"]["url"] == f"{prefect_api.removesuffix('/api')}/runs/flow-run/{run.id}"
