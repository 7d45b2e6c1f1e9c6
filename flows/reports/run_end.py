"""The end of a flow run: the webhook and the artifacts; a failure of either does not fail the run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for
from pydantic import ValidationError

from flows.reports.webhook import Ended, notify
from flows.server.environment import EMBEDDED_VARIABLE
from flows.server.presence import leave_server_behind
from seq2seq_core.artifacts import PARAMS_FILE
from seq2seq_core.config.runtime import FlowSettings
from seq2seq_core.config.settings import read_setting
from seq2seq_core.console import Logger
from seq2seq_core.errors import ConfigError


@dataclass(frozen=True)
class FlowRunInfo:
    """A flow run.

    Attributes:
        id: Prefect's id of the run.
        name: Prefect's name of the run.
        url: address of the run's page; empty where no server shows it.
    """

    id: str
    name: str
    url: str


def this_run() -> FlowRunInfo:
    """The flow run of this process."""
    page = url_for("flow-run", flow_run.id) if EMBEDDED_VARIABLE not in os.environ else None
    return FlowRunInfo(str(flow_run.id), str(flow_run.name), page or "")


def find_flow_settings(root: Path) -> FlowSettings:
    """The flow's settings of a workspace whose settings have faults: the defaults, with the webhook where it is readable.

    Args:
        root: the workspace.
    """
    try:
        return FlowSettings.model_validate({"notify": read_setting(root / PARAMS_FILE, "runtime.flow.notify") or {}})
    except (ConfigError, ValidationError):
        return FlowSettings()


def tell_end(ended: Ended, publish: Callable[[], None], settings: FlowSettings, logger: Logger) -> None:
    """Notifies the webhook of the end of this run, and stores its artifacts.

    Args:
        ended: the run.
        publish: stores the artifacts.
        settings: the webhook, and how long to wait for a Prefect server that is away.
        logger: receives warnings.
    """
    notify(settings.notify, ended, asdict(this_run()), logger)
    if leave_server_behind(logger, settings.server_return_seconds):
        return
    try:
        publish()
    except (PrefectException, httpx.HTTPError) as error:
        logger.warning("the report could not be stored in Prefect: %s: %s", type(error).__name__, error)
