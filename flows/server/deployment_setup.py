"""Setup of a Prefect server before the first deployment: work pool, concurrency limits by tag, automations."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from flows.server.automations import ensure_automations
from flows.server.environment import prepare_environment
from seq2seq_core.config.settings import Settings
from seq2seq_core.console import format_seconds
from seq2seq_core.errors import EnvironmentFault, UserError
from seq2seq_core.proxies import describe_proxy

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

POOL_TYPE = "process"
STARTING_SECONDS, PROBE_SECONDS, PAUSE_SECONDS = 60.0, 10.0, 0.5

logger = logging.getLogger(__name__)


def setup_prefect(settings: Settings, start_seconds: float = STARTING_SECONDS) -> list[str]:
    """Creates or updates the work pool, the limits and the automations; returns a line for each. A second call changes nothing.

    Args:
        settings: ``runtime.flow`` names the work pool and the limits, and has the times and the webhook of the automations.
        start_seconds: longest wait for a server that is starting.

    Raises:
        UserError: no Prefect server is configured, or its pool of that name is of another type.
        EnvironmentFault: the server does not answer.
    """
    prepare_environment()
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    if not url:
        raise UserError(
            "no Prefect server is configured; start one with `prefect server start`, then set its address: "
            "`export PREFECT_API_URL=http://127.0.0.1:4200/api`"
        )
    flow = settings.runtime.flow
    try:
        wait_for_server(url, start_seconds)
        with get_client(sync_client=True) as client:
            lines = [ensure_pool(client, flow.work_pool)]
            lines += [_ensure_limit(client, tag, limit) for tag, limit in sorted(flow.concurrency_limits.items())]
            return lines + ensure_automations(client, settings)
    except httpx.HTTPError as error:
        where = f"the Prefect server at {url}{describe_proxy(url)}"
        raise EnvironmentFault(f"{where} does not answer: {type(error).__name__}: {error}") from None


def wait_for_server(url: str, seconds: float) -> None:
    """Returns when a server answers that may be starting still; nothing else than a refused connection is waited for.

    Args:
        url: of its API.
        seconds: longest wait.

    Raises:
        HTTPError: it does not answer.
    """
    import httpx

    end, has_told = time.monotonic() + seconds, False
    with httpx.Client(timeout=PROBE_SECONDS) as client:
        while True:
            try:
                client.get(f"{url}/health")
                return
            except httpx.ConnectError as error:
                if time.monotonic() > end or not _is_refused(error):
                    raise
            if not has_told:
                logger.info("waiting up to %s for the Prefect server at %s to start", format_seconds(seconds), url)
                has_told = True
            time.sleep(PAUSE_SECONDS)


def _is_refused(error: BaseException | None) -> bool:
    """Whether nothing listens at an address: an unknown host and a certificate that is not trusted stay as they are."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError):
            return True
        error = error.__cause__ or error.__context__
    return False


def ensure_pool(client: SyncPrefectClient, name: str) -> str:
    """Creates a work pool of processes if the server has none of that name; returns a line about it.

    Args:
        client: the server's.
        name: of the pool.

    Raises:
        UserError: the server has one of another type.
    """
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name=name, type=POOL_TYPE, base_job_template=template))
        return f"work pool {name}: created"
    if pool.type != POOL_TYPE:
        raise UserError(f"runtime.flow.work_pool: must be a pool of type {POOL_TYPE}, got {name!r}, which is of type {pool.type}")
    return f"work pool {name}: there already"


def _ensure_limit(client: SyncPrefectClient, tag: str, limit: int) -> str:
    """Creates the limit of a tag, or updates a different one."""
    from prefect.exceptions import ObjectNotFound

    try:
        present = client.read_concurrency_limit_by_tag(tag).concurrency_limit
    except ObjectNotFound:
        present = None
    if present == limit:
        return f"tag {tag}: limit {limit} there already"
    client.create_concurrency_limit(tag, limit)  # also updates an existing limit
    return f"tag {tag}: limit {limit} created" if present is None else f"tag {tag}: limit changed from {present} to {limit}"
