"""What the Prefect server says about the flow run of this process."""

from __future__ import annotations

from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.runtime import deployment, flow_run


def is_cancelled() -> bool:
    """Whether this flow run was cancelled on the server. A deployed one hears it from its worker, by SIGTERM."""
    if deployment.id is not None:
        return False
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(flow_run.id)).state
    except (PrefectException, httpx.HTTPError):
        return False  # the work goes on while the server is away
    return state is not None and (state.is_cancelling() or state.is_cancelled())
