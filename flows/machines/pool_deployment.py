"""Work pools for stages, and the deployment that runs stages on each, on the Prefect server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.machines.stage_order import FLOW
from flows.server.deployment_setup import POOL_TYPE, ensure_pool
from flows.server.environment import PREFECT_VARIABLES
from flows.server.run_names import model_tag
from seq2seq_core.config.runtime import FlowSettings
from seq2seq_core.config.settings import Settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

ENTRY_POINT = "flows.pool_stage.pool_stage"
"""A module of the installed package: a worker needs no clone before it has an order."""


def setup_stage_pools(settings: Settings) -> list[str]:
    """Creates the pools that stages name, unless they are there, and their deployments; returns a line for each.

    A pool that is there keeps its type and its base job template, such as those of Kubernetes.

    Args:
        settings: ``runtime.flow`` has the stages' policies.

    Raises:
        httpx.HTTPError: the Prefect server does not answer.
    """
    from prefect.client.orchestration import get_client

    pools, model_name = stage_pools(settings.runtime.flow), settings.register_.model_name
    if not pools:
        return []
    with get_client(sync_client=True) as client:
        return [line for pool in pools for line in (_ensure_stage_pool(client, pool), _ensure_deployment(client, pool, model_name))]


def stage_pools(flow: FlowSettings) -> list[str]:
    """The work pools that stages name, sorted.

    Args:
        flow: the stages' policies.
    """
    return sorted({policy.pool for policy in (flow.default, *flow.stages.values()) if policy.pool})


def _ensure_stage_pool(client: SyncPrefectClient, pool: str) -> str:
    from prefect.exceptions import ObjectNotFound

    try:
        present = client.read_work_pool(pool)
    except ObjectNotFound:
        return ensure_pool(client, pool)
    return f"work pool {pool}: there already" + ("" if present.type == POOL_TYPE else f", of type {present.type}")


def _ensure_deployment(client: SyncPrefectClient, pool: str, model_name: str) -> str:
    """Creates or updates the deployment of a pool."""
    from flows.machines.pool_run import deployment_name

    name = deployment_name(model_name, pool)
    client.create_deployment(
        flow_id=client.create_flow_from_name(FLOW),
        name=name,
        entrypoint=ENTRY_POINT,
        work_pool_name=pool,
        tags=[model_tag(model_name)],
        description="Stages of `retrain` on this pool (runtime.flow.stages.STAGE.pool). The flow starts its runs.",
        job_variables={"env": PREFECT_VARIABLES},
        enforce_parameter_schema=False,
    )
    return f"deployment {FLOW}/{name}: ready"
