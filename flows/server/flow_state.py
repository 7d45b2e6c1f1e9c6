"""The state of this process's flow run on the Prefect server."""

from __future__ import annotations

from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.runtime import deployment, flow_run


def is_cancelled() -> bool:
    """Whether this flow run was cancelled on the server. Always False in a deployed run: its worker sends SIGTERM instead."""
    if deployment.id is not None:
        return False
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(flow_run.id)).state
    except (PrefectException, httpx.HTTPError):
        return False  # the work continues while the server does not answer
    return state is not None and (state.is_cancelling() or state.is_cancelled())
