"""Prefect's environment variables in this project; they must be set before ``prefect`` is imported."""

from __future__ import annotations

import os

EMBEDDED_VARIABLE = "S2S_EMBEDDED_PREFECT"
"""Set where the Prefect server is embedded: it ends with this process, so that no link to its pages is shown."""

PREFECT_VARIABLES = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}


def prepare_environment() -> None:
    """Turns off Prefect's telemetry and sets how often a run gives a sign of life; variables that are set keep their values."""
    for name, value in PREFECT_VARIABLES.items():
        os.environ.setdefault(name, value)
