"""Environment variables of Prefect in this project, to be set before ``prefect`` is imported."""

from __future__ import annotations

import os

EMBEDDED_VARIABLE = "S2S_EMBEDDED_PREFECT"
"""Set where the Prefect server is one that ends with this process, so that nobody is sent to its pages."""

PREFECT_VARIABLES = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}


def prepare_environment() -> None:
    """Sets those of Prefect's environment variables that are not set: no telemetry."""
    for name, value in PREFECT_VARIABLES.items():
        os.environ.setdefault(name, value)
