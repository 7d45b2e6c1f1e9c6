"""Names on a Prefect server that carry the model's name: workspaces that share a server stay apart."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.settings import read_setting
from seq2seq_core.errors import ConfigError

BY_HAND = "by hand"
TAG_PREFIX = "model:"


def model_tag(model_name: str) -> str:
    """The tag of a model's deployments and flow runs.

    Args:
        model_name: ``register.model_name``.
    """
    return f"{TAG_PREFIX}{model_name}"


def artifact_key(model_name: str, content: str) -> str:
    """The key of an artifact; keys hold only small Latin letters, digits and dashes.

    Args:
        model_name: ``register.model_name``; where it has other characters, a digest of it follows.
        content: the second part of the key, such as ``retrain-report``.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", model_name.lower()).strip("-")
    if plain != model_name:
        plain = f"{plain}-{hashlib.sha256(model_name.encode()).hexdigest()[:6]}".lstrip("-")
    return f"{plain}-{content}"


def workspace_model(root: Path) -> str:
    """The model's name in ``params.yaml``; the folder's name where the file has none, so that a faulty file has a named run.

    Args:
        root: the workspace.
    """
    try:
        return str(read_setting(Paths(root).params, "register.model_name") or root.name)
    except ConfigError:
        return root.name


def flow_run_title() -> str:
    """The name of the current flow run: ``MODEL · CAUSE · DATE``; the cause is the deployment, or ``by hand``."""
    from prefect.runtime import deployment, flow_run

    model_name = workspace_model(Path(flow_run.parameters.get("workspace") or Path.cwd()).resolve())
    cause = str(deployment.name).removeprefix(f"{model_name}-") if deployment.id else BY_HAND
    day = flow_run.scheduled_start_time.astimezone().date()
    return f"{model_name} · {cause} · {day.isoformat()}"
