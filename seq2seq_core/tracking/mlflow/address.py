"""The address of the workspace's MLflow store: the setting, else the environment's, else the workspace's own database."""

from __future__ import annotations

import logging
import os
from functools import cache
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.config.runtime import find_tracking_fault
from seq2seq_core.config.settings import read_setting
from seq2seq_core.errors import ConfigError, UserError
from seq2seq_core.tracking.dvc_experiment import find_home
from seq2seq_core.tracking_address import (
    SQLITE,
    find_address_fault,
    has_credentials,
    lower_scheme,
    split_scheme,
    without_credentials,
)

VARIABLE, SETTING = "MLFLOW_TRACKING_URI", "runtime.tracking_uri"
MODEL_TRAINING = "workflowType=machine_learning"
"""The query with which MLflow's pages open for model training; without it they open for language model applications."""
DEFAULT_URI = f"{SQLITE}mlflow.db"
TOLD_VARIABLE = "S2S_TOLD_TRACKING_URI"
"""The two addresses of the last warning; child processes inherit it and do not repeat the warning."""

logger = logging.getLogger(__name__)


def configured_uri(paths: Paths) -> str:
    """The store's address: ``runtime.tracking_uri``, else ``MLFLOW_TRACKING_URI``, else the workspace's own database.

    A variable that names the setting's address with credentials counts as the same address.

    Args:
        paths: the workspace; reads ``params.yaml`` once per process.

    Raises:
        ConfigError: the setting is not an address, or holds credentials.
        UserError: the variable is not an address.
    """
    setting, variable = lower_scheme(read_tracking_setting(paths)), lower_scheme(os.environ.get(VARIABLE, "").strip())
    is_same = _shown(variable, paths).rstrip("/") == _shown(setting, paths).rstrip("/")
    if not setting or (is_same and has_credentials(variable)):
        if fault := find_address_fault(variable) if variable else None:
            raise UserError(f"{VARIABLE}: {fault}")
        return variable or DEFAULT_URI
    if variable and not is_same:
        _warn_once(_shown(setting, paths), _shown(variable, paths))
    return setting


def configured_place(paths: Paths) -> str:
    """Where the store's address is configured, for messages.

    Args:
        paths: the workspace; reads ``params.yaml`` once per process.
    """
    return SETTING if read_tracking_setting(paths) else VARIABLE


def read_tracking_setting(paths: Paths) -> str:
    """``runtime.tracking_uri`` of a workspace; empty where it is not given. A process keeps what it read first.

    Args:
        paths: the workspace; reads ``params.yaml``, whose other faults are left to those who read all settings.

    Raises:
        ConfigError: the setting is not an address, or holds credentials; or the file is not YAML.
    """
    return _read_setting(paths.params.resolve()) if paths.params.is_file() else ""


@cache
def _read_setting(file: Path) -> str:
    """The setting in a parameters file."""
    value = read_setting(file, SETTING)
    if not isinstance(value, str):
        return ""
    if fault := find_tracking_fault(value):
        raise ConfigError([f"{SETTING}: {fault}"], str(file))
    return value


def _warn_once(setting: str, variable: str) -> None:
    """Warns that the setting wins over another address in the environment: once for this process and its children."""
    told = f"{setting} {variable}"
    if os.environ.get(TOLD_VARIABLE) != told:
        os.environ[TOLD_VARIABLE] = told
        logger.warning("MLflow is at %s, as %s of params.yaml says; %s, %s, is not used", setting, SETTING, VARIABLE, variable)


def tracking_uri(paths: Paths) -> str:
    """The store's address for MLflow; a relative SQLite path starts at the workspace, not at the current directory.

    In a DVC experiment, that is the workspace which the experiment was started in.
    """
    file = database_file(paths)
    return f"{SQLITE}{file}" if file is not None else configured_uri(paths)


def database_file(paths: Paths) -> Path | None:
    """The SQLite file of the store, or None where the store is something else."""
    return _file(configured_uri(paths), paths)


def _file(uri: str, paths: Paths) -> Path | None:
    """The SQLite file that an address names, or None."""
    scheme, rest = split_scheme(uri)
    return find_home(paths).root.resolve() / rest[1:] if scheme == "sqlite" and rest.startswith("/") else None


def displayed_uri(paths: Paths) -> str:
    """The store's address for reports: without credentials, and relative where it is a file inside the workspace."""
    return _shown(configured_uri(paths), paths)


def _shown(uri: str, paths: Paths) -> str:
    """An address for reports."""
    file, root = _file(uri, paths), find_home(paths).root.resolve()
    if file is not None and file.is_relative_to(root):
        return f"{SQLITE}{file.relative_to(root)}"
    return without_credentials(uri)


def artifact_location(paths: Paths) -> str | None:
    """Where a new experiment keeps its artifacts: beside the SQLite file, or None where the server decides."""
    file = database_file(paths)
    return (file.parent / "mlartifacts").as_uri() if file is not None else None
