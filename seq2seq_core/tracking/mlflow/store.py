"""The MLflow store of runs and models: its address, a quiet connection, and a clear error within seconds if it does not answer."""

from __future__ import annotations

import logging
import os
import re
import socket
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import StorageFault, TrackingUnreachable, UserError
from seq2seq_core.file_lock import wait_for_lock
from seq2seq_core.tracking.mlflow.relocation import relocate_artifacts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from requests import Response

logger = logging.getLogger(__name__)
DEFAULT_URI = "sqlite:///mlflow.db"
PROBE_SECONDS = 5.0
DATABASE_ATTEMPTS = 3
_SQLITE = "sqlite:///"
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_TRANSIENT_STATUSES = (408, 429, 502, 503, 504)
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


def prepare_environment() -> None:
    """Turns off MLflow's telemetry, information messages and long retries; variables that are already set keep their values.

    Call it before ``mlflow`` is imported, because MLflow configures its loggers on import.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # urllib3 would warn of each retry; we report the final result.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


def configured_uri() -> str:
    """The store's address from ``MLFLOW_TRACKING_URI``, or the default."""
    return os.environ.get("MLFLOW_TRACKING_URI", "").strip() or DEFAULT_URI


def tracking_uri(paths: Paths) -> str:
    """The store's address for MLflow; a relative SQLite path starts at the workspace, not at the current directory."""
    file = database_file(paths)
    return f"{_SQLITE}{file}" if file is not None else configured_uri()


def database_file(paths: Paths) -> Path | None:
    """The SQLite file of the store, or None where the store is something else."""
    uri = configured_uri()
    return paths.root.resolve() / uri.removeprefix(_SQLITE) if uri.startswith(_SQLITE) else None


def displayed_uri(paths: Paths) -> str:
    """The store's address for reports: without credentials, and relative where it is a file inside the workspace."""
    file, root = database_file(paths), paths.root.resolve()
    if file is not None and file.is_relative_to(root):
        return f"{_SQLITE}{file.relative_to(root)}"
    return re.sub(r"(?<=://).*@", "", configured_uri()).partition("?")[0]


def artifact_location(paths: Paths) -> str | None:
    """Where a new experiment keeps its artifacts: beside the SQLite file, or None where the server decides."""
    file = database_file(paths)
    return (file.parent / "mlartifacts").as_uri() if file is not None else None


def connect(paths: Paths) -> MlflowClient:
    """A client of the configured store, which has just answered; creates the SQLite database if there is none.

    Args:
        paths: the workspace; a SQLite database and its artifacts are corrected if the workspace was moved.

    Raises:
        TrackingUnreachable: the server does not answer, or answers with an error.
        UserError: the database is of another MLflow version, or is not a database.
    """
    prepare_environment()
    uri = tracking_uri(paths)
    file = database_file(paths)
    if file is None:
        _probe(uri, paths)
    with store_errors(paths), exclusive(paths):
        if file is not None and not file.is_file():
            logger.info("creating MLflow's database %s (once; takes several seconds)", displayed_uri(paths))
        elif file is not None:
            relocate_artifacts(file, artifact_location(paths) or "")
        client = _client(uri)
        client.search_experiments(max_results=1)
    return client


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Suppresses MLflow's warnings about itself on import: users cannot act on them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*noload", category=DeprecationWarning)  # SQLAlchemy 2.1 on MLflow's tables
        # MLflow makes SQLAlchemy configure every table of the process, also those of an imported Prefect server.
        warnings.filterwarnings("ignore", message=r"(?s).*operator_classes", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=r"(?s).*AnyType", category=UserWarning)  # MLflow on its own types
        yield


def _client(uri: str) -> MlflowClient:
    """A client; also sets MLflow's global address, because models are logged through module-level functions."""
    with quiet_imports():
        import mlflow

        if urlsplit(uri).scheme.partition("+")[0] in ("sqlite", *_DATABASE_PORTS):
            from mlflow.store.db import utils

            # MLflow has no setting for this. Its ten attempts take 100 s, although a wrong password or path fails at once.
            utils.MAX_RETRY_COUNT = DATABASE_ATTEMPTS
        with _unchanged_environment("MLFLOW_TRACKING_URI"):
            mlflow.set_tracking_uri(uri)
            mlflow.set_registry_uri(uri)
            return mlflow.MlflowClient(uri, uri)


@contextmanager
def _unchanged_environment(name: str) -> Iterator[None]:
    """Undoes MLflow's change of an environment variable: a child process in another workspace must not inherit this address."""
    given = os.environ.get(name)
    try:
        yield
    finally:
        if given is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = given


@contextmanager
def exclusive(paths: Paths) -> Iterator[None]:
    """Holds the workspace's MLflow lock: stages that start at once must not migrate a database or open a parent run twice."""
    with wait_for_lock(paths.work / "mlflow.lock"):
        yield


@contextmanager
def store_errors(paths: Paths) -> Iterator[None]:
    """Translates MLflow's errors about the store into ours, with the address, the reason and what was expected.

    Raises:
        TrackingUnreachable: the store does not answer.
        UserError: the SQLite file is of another MLflow version, or is not a database; or MLflow rejects a request.
        StorageFault: the SQLite file cannot be opened or written.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import DatabaseError

    try:
        yield
    except (MlflowException, DatabaseError, sqlite3.DatabaseError) as error:
        raise _translate(error, paths) from error
    except ModuleNotFoundError as error:
        raise UserError(f"MLflow needs a package for {displayed_uri(paths)} that is not installed: {error.name}") from error


def _translate(error: Exception, paths: Paths) -> Exception:
    """Our error for an error of MLflow, or the same error where it is a fault of the program."""
    from mlflow.exceptions import MlflowException

    reason, place = short_reason(error), displayed_uri(paths)
    if "out-of-date database schema" in reason or "Can't locate revision" in reason:
        return UserError(
            f"MLflow's database {place} is of another MLflow version; expected this version's schema: back the file up, then run: "
            f"mlflow db upgrade {place}"
        )
    if "file is not a database" in reason:
        return UserError(f"{place} is not a SQLite database; expected MLflow's database there: move that file away")
    if database_file(paths) is not None and re.search("unable to open|readonly|disk", reason):
        return StorageFault(f"MLflow's database {place}: {reason}; expected a file that this user may write, on a disk with room")
    if is_network_error(error):
        return unreachable(paths, reason)
    if isinstance(error, MlflowException) and 400 <= _status(error) < 500:
        return UserError(f"MLflow at {place} refuses: {reason}")
    return error


def is_network_error(error: BaseException | None) -> bool:
    """Whether an error, or one of its causes, is a temporary error of the network or of a database connection.

    Args:
        error: an error of a request to the store.
    """
    from requests import RequestException
    from sqlalchemy.exc import DBAPIError

    while error is not None:
        if isinstance(
            error, (RequestException, DBAPIError, sqlite3.OperationalError, ConnectionError, TimeoutError)
        ) or "API request to" in str(error):
            return True
        if _status(error) in _TRANSIENT_STATUSES:
            return True
        error = error.__cause__ or error.__context__
    return False


def _status(error: BaseException) -> int:
    """The HTTP status of an MLflow error; 0 for other errors."""
    from mlflow.exceptions import MlflowException

    status: Callable[[], int] | None = error.get_http_status_code if isinstance(error, MlflowException) else None
    return status() if status is not None else 0


def unreachable(paths: Paths, reason: str) -> TrackingUnreachable:
    """The error for a store that does not answer.

    Args:
        paths: the workspace, for the store's address.
        reason: one line, from the network or from MLflow.
    """
    return TrackingUnreachable(
        f"MLflow does not answer at {displayed_uri(paths)}: {reason}; expected a running MLflow tracking server there "
        f"(set MLFLOW_TRACKING_URI to another, or unset it for the workspace's own {DEFAULT_URI})"
    )


def _probe(uri: str, paths: Paths) -> None:
    """Checks within seconds that the store answers, before MLflow's own clients start their retries."""
    parts = urlsplit(uri)
    scheme = parts.scheme.partition("+")[0]
    if scheme in ("http", "https"):
        _probe_server(uri, paths)
    elif scheme in _DATABASE_PORTS and parts.hostname:
        try:
            socket.create_connection((parts.hostname, parts.port or _DATABASE_PORTS[scheme]), PROBE_SECONDS).close()
        except OSError as error:
            raise unreachable(paths, short_reason(error)) from error


def _probe_server(uri: str, paths: Paths) -> None:
    """Requests an MLflow server's version once, through MLflow, so that credentials, proxies and TLS settings apply."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils import credentials, rest_utils

    ask: Callable[..., Response] = rest_utils.http_request
    credentials_for: Callable[[str], object] = credentials.get_default_host_creds

    try:
        answer = ask(credentials_for(uri), "/version", "GET", max_retries=0, timeout=PROBE_SECONDS, raise_on_status=False)
    except (MlflowException, OSError) as error:
        raise unreachable(paths, short_reason(error)) from error
    if answer.status_code >= 400:
        raise unreachable(paths, f"it answers the request /version with HTTP status {answer.status_code}")


def short_reason(error: BaseException) -> str:
    """The innermost reason of an error in one line, without the layers of the HTTP library.

    Args:
        error: an error of a request to the store.
    """
    text = str(error) or type(error).__name__
    for pattern in (r"\[Errno -?\d+\] [^'\")]+", r"Connection refused", r"timed out"):
        if found := re.search(pattern, text):
            return found.group(0)
    return text.strip().splitlines()[0]
