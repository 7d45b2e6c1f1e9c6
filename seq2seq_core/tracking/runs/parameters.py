"""Settings as a run's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seq2seq_core.config.settings import Settings
from seq2seq_core.stage_table import CODE, find_stage
from seq2seq_core.tracking.mlflow.mlflow_recorder import MOST_PARAMS_A_REQUEST

if TYPE_CHECKING:
    from mlflow import MlflowClient


def graph_parameters(settings: Settings) -> dict[str, object]:
    """The settings that any stage reads, flat, by their names in ``params.yaml``.

    Args:
        settings: all settings.
    """
    return stage_parameters(CODE.name, settings)


def stage_parameters(stage: str, settings: Settings) -> dict[str, object]:
    """The settings of the sections that a stage reads, flat, by their names in ``params.yaml``.

    Args:
        stage: the stage's name.
        settings: all settings.
    """
    values: dict[str, object] = {}
    for name in find_stage(stage).sections:
        values |= _flatten(settings.section_named(name).model_dump(mode="json"), name)
    return values


def log_parameters(client: MlflowClient, run_id: str, parameters: Mapping[str, object]) -> None:
    """Writes parameters to a run, as many a request as MLflow takes.

    Args:
        client: the MLflow client.
        run_id: MLflow's id of the run.
        parameters: by name.
    """
    from mlflow.entities import Param

    every = [Param(name, str(value)) for name, value in parameters.items()]
    for start in range(0, len(every), MOST_PARAMS_A_REQUEST):
        client.log_batch(run_id, params=every[start : start + MOST_PARAMS_A_REQUEST])


def _flatten(values: Mapping[str, Any], prefix: str) -> dict[str, object]:
    """Nested settings as ``section.field: value``, and lists of settings as ``section.field.0.field: value``."""
    flat: dict[str, object] = {}
    for name, item in values.items():
        is_settings = isinstance(item, list) and bool(item) and all(isinstance(part, dict) for part in item)
        value = {str(number): part for number, part in enumerate(item)} if is_settings else item
        flat |= _flatten(value, f"{prefix}.{name}") if isinstance(value, dict) else {f"{prefix}.{name}": value}
    return flat
