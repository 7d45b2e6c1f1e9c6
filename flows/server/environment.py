"""Prefect's environment variables in this project; they must be set before ``prefect`` is imported."""

from __future__ import annotations

import os

EMBEDDED_VARIABLE = "S2S_EMBEDDED_PREFECT"
"""Set where the Prefect server is embedded: it ends with this process, so that no link to its pages is shown."""

PREFECT_VARIABLES = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}


def prepare_environment() -> None:
    """Turns off Prefect's telemetry; variables that are already set keep their values."""
    for name, value in PREFECT_VARIABLES.items():
        os.environ.setdefault(name, value)
