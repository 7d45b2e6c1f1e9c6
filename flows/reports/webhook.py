"""A webhook that hears how a run ended."""

from __future__ import annotations

import logging
import os
from typing import Any

import httpx

from flows.reports.summary import NotifiedEvent, RetrainSummary
from seq2seq_core.config.runtime import NotifySettings

URL_VARIABLE = "S2S_WEBHOOK_URL"

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


def notify(settings: NotifySettings, summary: RetrainSummary, flow_run: dict[str, str], logger: Logger) -> list[NotifiedEvent]:
    """The events that the webhook was told of; one that cannot be told is a warning.

    Args:
        settings: where and of what.
        summary: what the run did.
        flow_run: ``id``, ``name`` and ``url`` of the flow run.
        logger: receives the warning.
    """
    url = settings.webhook_url or os.environ.get(URL_VARIABLE, "")
    wanted = [event for event in summary.events if event in settings.on]
    return [event for event in wanted if url and _post(url, settings.timeout_seconds, to_body(event, summary, flow_run), logger)]


def to_body(event: NotifiedEvent, summary: RetrainSummary, flow_run: dict[str, str]) -> dict[str, Any]:
    """What the webhook receives as JSON; ``text`` is what chat services show.

    Args:
        event: what happened.
        summary: what the run did.
        flow_run: ``id``, ``name`` and ``url`` of the flow run.
    """
    receipt = summary.receipt
    return {
        "event": event,
        "text": f"retrain {event}: {summary.headline()}",
        "flow_run": flow_run,
        "failure": summary.failure and {"kind": summary.failure.kind, "message": str(summary.failure)},
        "seconds": round(summary.seconds, 1),
        "stages": [{"stage": report.stage, "state": report.state, "reason": report.reason} for report in summary.stages],
        "metrics": dict(summary.metrics),
        "model": receipt
        and {"name": receipt.model_name, "version": receipt.version, "alias": receipt.decision, "reason": receipt.reason},
        "links": dict(summary.links),
    }


def _post(url: str, timeout_seconds: float, body: dict[str, Any], logger: Logger) -> bool:
    """Whether the webhook took the message."""
    try:
        response = httpx.post(url, json=body, timeout=timeout_seconds, follow_redirects=True)
    except (httpx.RequestError, httpx.InvalidURL) as error:
        trouble = f"{type(error).__name__}: {error}"
    else:
        if response.is_success:
            return True
        trouble = f"it answered {response.status_code} {response.reason_phrase}"
    # The address may hold a secret: only its host is shown.
    logger.warning("the webhook at %s could not be told of the %s: %s", _host(url), body["event"], trouble)
    return False


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return "an address that is none"
