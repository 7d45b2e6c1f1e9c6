"""Whether the Prefect server still answers; the work of a run does not depend on it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
from prefect.client.orchestration import PrefectClient, SyncPrefectClient, get_client
from prefect.client.schemas.actions import LogCreate
from prefect.context import SettingsContext, get_settings_context, refresh_global_settings_context
from prefect.events.schemas.events import Event
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, get_current_settings, temporary_settings

from flows.server.environment import EMBEDDED_VARIABLE
from seq2seq_core.console import Logger, format_seconds
from seq2seq_core.proxies import describe_proxy

PROBE_SECONDS = 5.0
PAUSE_SECONDS = 2.0
AWAY_SECONDS = 5.0
"""Shortest time between two questions to a server that is away, each of which can take ``PROBE_SECONDS``."""


@contextmanager
def open_probe(url: str) -> Iterator[Callable[[], Exception | None]]:
    """Asks a Prefect server whether it is well, with the certificates, headers and credentials of Prefect's settings.

    A client and its settings take 50 ms of CPU to make. They serve all questions of the ``with`` block, from any thread.

    Args:
        url: the address of its API.

    Yields:
        A function that asks once. It returns None where the server is well; an ``httpx.HTTPStatusError`` where it answers with an
        error; otherwise why no answer came.
    """
    # No connection is kept: one that the server closes just then would look like a server that is away.
    options = {"timeout": PROBE_SECONDS, "limits": httpx.Limits(max_keepalive_connections=0)}
    client: SyncPrefectClient | None = None
    fault: Exception | None = None
    with ExitStack() as stack:
        try:
            with temporary_settings({PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: 0}):
                context = get_settings_context()
                client = stack.enter_context(get_client(options, sync_client=True))
        except (OSError, ValueError, httpx.InvalidURL) as error:  # certificates that cannot be read, or no address
            fault = error

        def ask() -> Exception | None:
            if client is None:
                return fault
            with SettingsContext(profile=context.profile, settings=context.settings):
                return client.api_healthcheck()

        yield ask


def probe_server(url: str) -> Exception | None:
    """Asks a Prefect server once whether it is well.

    Args:
        url: the address of its API.

    Returns:
        None where it is well, otherwise the fault, as :func:`open_probe` tells it.
    """
    with open_probe(url) as ask:
        return ask()


def is_away() -> bool:
    """Whether the server of this process's settings cannot be reached."""
    url = get_current_settings().api.url
    return probe_server(url) is not None if url else False


class _Watch:
    """Whether the server is away. After it was, it is asked again only after ``AWAY_SECONDS``, however much there is to send.

    An answer that it is there is not kept: it could die meanwhile, and Prefect would try to send for a minute.

    Args:
        ask: asks the server once; returns a fault, or None.
    """

    def __init__(self, ask: Callable[[], Exception | None]) -> None:
        self._ask = ask
        self._away_until = float("-inf")

    def is_away(self) -> bool:
        """The present answer, or one of the last seconds that the server is away."""
        if time.monotonic() < self._away_until:
            return True
        if self._ask() is not None:
            self._away_until = time.monotonic() + AWAY_SECONDS
            return True
        return False


@contextmanager
def nothing_sent_while_away() -> Iterator[None]:
    """Drops events and log lines for a server that is away, for the ``with`` block and for the end of this process.

    Prefect would try each for seconds, and report each on the console with a traceback. Prefect 3.8.8 has no setting against that:
    ``PREFECT_CLIENT_MAX_RETRIES`` leaves the tracebacks, and ``PREFECT_LOGGING_TO_API_ENABLED`` leaves the lines that wait already.
    So this replaces a public method, by which all log lines go, and a private one: an event is sent after requests for its run.
    """
    send_event, send_logs = EventsWorker._handle, PrefectClient.create_logs

    with open_probe(get_current_settings().api.url or "") as ask:
        watch = _Watch(ask)

        async def send_event_if_present(self: EventsWorker, event: Event) -> None:
            if not watch.is_away():
                await send_event(self, event)

        async def send_logs_if_present(self: PrefectClient, logs: Iterable[LogCreate | dict[str, Any]]) -> None:
            if not watch.is_away():
                await send_logs(self, logs)

        EventsWorker._handle = send_event_if_present  # type: ignore[method-assign]
        PrefectClient.create_logs = send_logs_if_present  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            if ask() is None:
                EventsWorker._handle, PrefectClient.create_logs = send_event, send_logs  # type: ignore[method-assign]


def leave_server_behind(logger: Logger, patience_seconds: float) -> bool:
    """Whether this run must end without the server: it is away, and did not come back in time.

    Prefect then tries each of its own requests only once: by default a request is retried for a minute.

    Args:
        logger: says what is waited for, and what is lost.
        patience_seconds: longest wait; an embedded server is not waited for, because nobody starts it again.
    """
    if not is_away():
        return False
    url = get_current_settings().api.url or ""
    place = f"{url}{describe_proxy(url)}"
    deadline = time.monotonic() + (0.0 if EMBEDDED_VARIABLE in os.environ else patience_seconds)
    if time.monotonic() < deadline:
        logger.warning(
            "the stages have ended, but the Prefect server at %s does not answer; waiting up to %s for it",
            place,
            format_seconds(patience_seconds),
        )
    while time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        if not is_away():
            return False
    logger.warning("the Prefect server at %s does not answer: the end of this run is not on its pages", place)
    os.environ["PREFECT_CLIENT_MAX_RETRIES"] = "0"
    refresh_global_settings_context()
    return True
