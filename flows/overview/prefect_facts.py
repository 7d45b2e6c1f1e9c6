"""What a Prefect server knows of a workspace's model: its deployments, their schedules and the last flow run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.server.environment import prepare_environment
from flows.server.local_server import pages_file, running_pages
from flows.server.run_names import model_tag
from seq2seq_core.artifacts import Paths

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

REQUEST_SECONDS = 5.0
MARK = "PREFECT_API_URL"
PROJECT_FILES = (("prefect.toml", "[api]"), ("pyproject.toml", "[tool.prefect"), (".env", MARK))
"""Files beside a project in which Prefect also looks for its settings, and what names a server there."""


@dataclass(frozen=True)
class PrefectFacts:
    """What a Prefect server knows.

    Attributes:
        address: of its API; empty: no server is configured, and none runs here.
        schedules: a line for each deployment with its schedule and the next run.
        last_run: name, end and time of the last flow run; empty: there was none.
    """

    address: str = ""
    schedules: list[str] = field(default_factory=list)
    last_run: str = ""


def may_have_server(paths: Paths) -> bool:
    """Whether a Prefect server may be configured; without one Prefect need not be loaded, which takes seconds.

    Args:
        paths: the workspace.
    """
    if os.environ.get(MARK) or pages_file(paths).is_file():
        return True
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    profiles = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    places = [(profiles, MARK), *((paths.root / name, mark) for name, mark in PROJECT_FILES)]
    return any(_holds(file, mark) for file, mark in places)


def _holds(file: Path, mark: str) -> bool:
    try:
        return mark in file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def find_server(paths: Paths) -> str:
    """The address of the configured server's API, or of this workspace's pages; empty: there is none.

    Args:
        paths: the workspace.
    """
    prepare_environment()
    from prefect.settings import Settings

    return str(Settings().api.url or "") or running_pages(paths) or ""


def read_prefect(model_name: str, paths: Paths) -> PrefectFacts:
    """What the server knows of a model's deployments.

    Args:
        model_name: ``register.model_name``.
        paths: the workspace.

    Raises:
        httpx.HTTPError: the server does not answer.
    """
    if not may_have_server(paths) or not (address := find_server(paths)):
        return PrefectFacts()
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    settings = temporary_settings({PREFECT_API_URL: address, PREFECT_CLIENT_MAX_RETRIES: 0})
    with settings, get_client({"timeout": REQUEST_SECONDS}, sync_client=True) as client:
        return PrefectFacts(address, _read_schedules(client, model_name), _read_last_run(client, model_name))


def _read_schedules(client: SyncPrefectClient, model_name: str) -> list[str]:
    from prefect.client.schemas.filters import DeploymentFilter

    wanted = DeploymentFilter.model_validate({"tags": {"all_": [model_tag(model_name)]}})
    found = sorted(client.read_deployments(deployment_filter=wanted), key=lambda one: one.name)
    return [f"{one.name}: {_describe(one)}{' (paused)' if one.paused else ''}" for one in found]


def _describe(deployment: Any) -> str:
    active = [schedule.schedule for schedule in deployment.schedules if schedule.active]
    words = [f"{getattr(one, 'cron', None) or getattr(one, 'interval', None) or 'by a rule'}" for one in active]
    return ", ".join(words) or "on demand"


def _read_last_run(client: SyncPrefectClient, model_name: str) -> str:
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.sorting import FlowRunSort

    wanted = {"tags": {"all_": [model_tag(model_name)]}, "start_time": {"is_null_": False}}
    runs = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(wanted), sort=FlowRunSort.START_TIME_DESC, limit=1)
    if not runs:
        return ""
    run = runs[0]
    start = f", {run.start_time:%Y-%m-%d %H:%M} UTC" if run.start_time else ""
    return f"{run.name}: {run.state.name if run.state else 'unknown'}{start}"
