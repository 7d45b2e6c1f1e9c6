"""What MLflow finds when it is imported: its settings in the environment, and the parts that are loaded late."""

from __future__ import annotations

import logging
import os
from importlib.metadata import PackageNotFoundError, version

from seq2seq_core.imports.late_modules import load_late

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
_UNUSED_PARTS = ("mlflow.gateway", "numpy.f2py", "numpy.testing")
"""MLflow's gateway loads FastAPI: a tenth of the time that ``import mlflow`` takes. SciPy, which it imports, reads all of NumPy."""
_UNUSED_HERE = {"3.17": ("mlflow.genai", "mlflow.genai.judges", "mlflow.genai.scorers")}
"""By version of MLflow, packages for language model applications: a seventh of the time until a store answers.

Without them the others are imported in another order. So only versions stand here with which that was tried.
"""


def prepare_environment() -> None:
    """Turns off MLflow's telemetry, information messages and long retries; variables that are already set keep their values.

    Call it before ``mlflow`` is imported, because MLflow configures its loggers on import.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    load_late(*_UNUSED_PARTS, *_UNUSED_HERE.get(_minor_version(), ()))
    # urllib3 would warn of each retry; we report the final result.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


def _minor_version() -> str:
    """MLflow's version up to its second number; empty where only a part of MLflow is installed."""
    try:
        return ".".join(version("mlflow").split(".")[:2])
    except PackageNotFoundError:
        return ""
