"""MLflow's client without secrets in what it writes. Import it only where MLflow may be loaded, because that takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Param, RunTag

from seq2seq_core.redaction.redactor import redact, redact_values

WRITERS = (
    "create_experiment", "create_logged_model", "create_model_version", "create_registered_model", "create_run", "log_batch",
    "log_text", "set_model_version_tag", "set_tag", "update_model_version",
)  # fmt: skip
"""The methods that write texts."""


class RedactingClient(MlflowClient):
    """MLflow's client; parameters, tags, descriptions and text artifacts are written without secrets."""


def _redacting(name: str) -> Callable[..., Any]:
    """A method of the client that gets its texts without secrets."""

    @wraps(getattr(MlflowClient, name))
    def write(client: MlflowClient, *arguments: Any, **named: Any) -> Any:
        redacted = {key: _redact_argument(value) for key, value in named.items()}
        return getattr(MlflowClient, name)(client, *map(_redact_argument, arguments), **redacted)

    return write


def _redact_argument(value: Any) -> Any:
    """An argument without secrets: of JSON's types, or a list of parameters or tags."""
    if isinstance(value, list) and value and isinstance(value[0], Param | RunTag):
        return [type(entity)(entity.key, redact(entity.value)) for entity in value]
    return redact_values(value)


for _name in WRITERS:
    setattr(RedactingClient, _name, _redacting(_name))
