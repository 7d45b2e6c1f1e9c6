"""The state of this process's flow run on the Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings


@contextmanager
def ask_once() -> Iterator[SyncPrefectClient]:
    """A client that makes one attempt: by default Prefect's client retries for a minute, in which a run would start no stage."""
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
        yield client


def is_cancelled() -> bool:
    """Whether this flow run was cancelled on the server. Always False in a deployed run: its worker sends SIGTERM instead."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.deployment_id is not None:
        return False
    try:
        with ask_once() as client:
            state = client.read_flow_run(context.flow_run.id).state
    except (PrefectException, httpx.HTTPError):
        return False  # the work continues while the server does not answer
    return state is not None and (state.is_cancelling() or state.is_cancelled())
