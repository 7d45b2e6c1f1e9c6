"""The webhook that is notified at the end of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import httpx

from flows.reports.summary import NotifiedEvent
from seq2seq_core.config.runtime import NotifySettings
from seq2seq_core.console import Logger
from seq2seq_core.errors import Seq2SeqError
from seq2seq_core.proxies import describe_proxy
from seq2seq_core.redaction.redactor import redact_values, remember_webhook


class Ended(Protocol):
    """A run that has ended."""

    @property
    def events(self) -> Sequence[NotifiedEvent]:
        """The events that a webhook can receive."""

    @property
    def failure(self) -> Seq2SeqError | None:
        """The error of a failed run."""

    @property
    def seconds(self) -> float:
        """Duration of the run."""

    def headline(self) -> str:
        """The outcome in one sentence."""

    def facts(self) -> dict[str, Any]:
        """Further keys of a notification, the same for every flow."""


def notify(settings: NotifySettings, summary: Ended, flow_run: dict[str, str], logger: Logger) -> list[NotifiedEvent]:
    """Notifies the webhook of a run's events; returns those that it accepted. A failed notification is only a warning.

    Args:
        settings: the webhook's address, its events and the timeout.
        summary: the run.
        flow_run: ``id``, ``name`` and ``url`` of the flow run.
        logger: receives the warning.
    """
    url = settings.address(os.environ)
    remember_webhook(url)
    wanted = [event for event in summary.events if event in settings.on]
    return [event for event in wanted if url and _post(url, settings.timeout_seconds, to_body(event, summary, flow_run), logger)]


def to_body(event: NotifiedEvent, summary: Ended, flow_run: dict[str, str]) -> dict[str, Any]:
    """The JSON body of a notification; chat services show its ``text``.

    Args:
        event: ``failure``, ``promotion`` or ``success``.
        summary: the run.
        flow_run: ``id``, ``name`` and ``url`` of the flow run.
    """
    return {
        "event": event,
        "text": f"{flow_run['name']}: {event}: {summary.headline()}",
        "flow_run": flow_run,
        "failure": summary.failure and {"kind": summary.failure.kind, "message": str(summary.failure)},
        "seconds": round(summary.seconds, 1),
        **summary.facts(),
    }


def _post(url: str, timeout_seconds: float, body: dict[str, Any], logger: Logger) -> bool:
    """Posts a notification; returns whether the webhook accepted it."""
    try:
        response = httpx.post(url, json=redact_values(body), timeout=timeout_seconds, follow_redirects=True)
    except (httpx.RequestError, httpx.InvalidURL) as error:
        trouble = f"{type(error).__name__}: {error}"
    else:
        if response.is_success:
            return True
        trouble = f"it answered {response.status_code} {response.reason_phrase}"
    # The address may contain a secret, so the log shows only its host.
    place = f"{_host(url)}{describe_proxy(url)}"
    logger.warning("the webhook at %s could not be told of the %s: %s", place, body["event"], trouble)
    return False


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return "an address that is none"
