"""Reports to Prefect without secrets: states, log lines, artifacts and events leave this process only through its clients."""

from __future__ import annotations

import json
from typing import Any

import httpx
from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient
from prefect.events.clients import EventsClient
from prefect.events.schemas.events import Event
from prefect.settings import get_current_settings

from seq2seq_core.redaction.redactor import redact, redact_values, remember_values
from seq2seq_core.redaction.text_exits import install_redaction

REPORTED = ("/artifacts", "/flow_runs", "/logs", "/task_runs")
"""Parts of the paths of requests that report; others, such as those of blocks, may have to hold a secret."""
_installed: list[str] = []


def keep_secrets() -> None:
    """Keeps secrets out of all that this process logs, prints and reports to Prefect; a second call changes nothing."""
    install_redaction()
    _remember_settings()
    if _installed:
        return
    _installed.append("clients")
    send, send_async, emit = PrefectHttpxSyncClient.send, PrefectHttpxAsyncClient.send, EventsClient.emit

    def send_redacted(self: PrefectHttpxSyncClient, request: httpx.Request, *arguments: Any, **named: Any) -> httpx.Response:
        return send(self, redact_request(request), *arguments, **named)

    async def send_redacted_async(
        self: PrefectHttpxAsyncClient, request: httpx.Request, *arguments: Any, **named: Any
    ) -> httpx.Response:
        return await send_async(self, redact_request(request), *arguments, **named)

    async def emit_redacted(self: EventsClient, event: Event) -> None:
        await emit(self, redact_event(event))

    PrefectHttpxSyncClient.send = send_redacted  # type: ignore[method-assign]
    PrefectHttpxAsyncClient.send = send_redacted_async  # type: ignore[method-assign]
    EventsClient.emit = emit_redacted  # type: ignore[method-assign]


def redact_request(request: httpx.Request) -> httpx.Request:
    """A request whose body holds no secret; the same request where it held none.

    Args:
        request: to the Prefect server, with a body of JSON or none.
    """
    if not any(part in request.url.path for part in REPORTED) or not isinstance(request.stream, httpx.ByteStream):
        return request
    text = request.content.decode("utf-8", "replace")
    if redact(text) == text:
        return request
    headers = [(name, value) for name, value in request.headers.items() if name != "content-length"]
    body = json.dumps(redact_values(json.loads(text))).encode()
    return httpx.Request(request.method, request.url, headers=headers, content=body, extensions=request.extensions)


def redact_event(event: Event) -> Event:
    """An event that holds no secret; the same event where it held none.

    Args:
        event: such as the change of a task's state, with its message.
    """
    text = event.model_dump_json()
    return event if redact(text) == text else type(event).model_validate(redact_values(json.loads(text)))


def _remember_settings() -> None:
    """Keeps the secrets of Prefect's settings, which need not be environment variables: a profile can hold them."""
    settings = get_current_settings()
    secrets = {
        "PREFECT_API_KEY": settings.api.key,
        "PREFECT_API_AUTH_STRING": settings.api.auth_string,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": settings.server.database.connection_url,
    }
    given = {name: secret.get_secret_value() for name, secret in secrets.items() if secret is not None}
    headers = settings.client.custom_headers or {}
    remember_values({**given, "PREFECT_API_URL": settings.api.url or "", "PREFECT_CLIENT_CUSTOM_HEADERS": json.dumps(headers)})
