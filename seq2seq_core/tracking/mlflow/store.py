"""The MLflow store of runs and models: a quiet connection, and a clear error within seconds if the store does not answer."""

from __future__ import annotations

import logging
import os
import re
import socket
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from seq2seq_core.artifacts import Paths
from seq2seq_core.errors import StorageFault, TrackingUnreachable, UserError
from seq2seq_core.file_lock import wait_for_lock
from seq2seq_core.proxies import describe_proxy
from seq2seq_core.redaction.redactor import redact
from seq2seq_core.tracking.dvc_experiment import find_home
from seq2seq_core.tracking.mlflow.address import (
    DEFAULT_URI,
    SETTING,
    VARIABLE,
    artifact_location,
    configured_place,
    database_file,
    displayed_uri,
    tracking_uri,
)
from seq2seq_core.tracking.mlflow.library_loading import prepare_environment
from seq2seq_core.tracking.mlflow.patience import call_patiently
from seq2seq_core.tracking.mlflow.relocation import relocate_artifacts
from seq2seq_core.tracking.mlflow.request_errors import http_status, is_temporary
from seq2seq_core.tracking_address import (
    CREDENTIALS_ADVICE,
    DATABASE_PORTS,
    SERVER_SCHEMES,
    has_credentials,
    host_and_port,
    split_scheme,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from requests import Response

logger = logging.getLogger(__name__)
PROBE_SECONDS = 5.0
DATABASE_ATTEMPTS = 3


def connect_existing(paths: Paths) -> MlflowClient:
    """A client of the configured store for those who read: a missing SQLite database is refused, because its address may be wrong.

    Args:
        paths: the workspace; see :func:`connect`.

    Raises:
        UserError: there is no database; further errors as by :func:`connect`.
    """
    file = database_file(paths)
    if file is not None and not file.is_file():
        raise UserError(
            f"{configured_place(paths)}: there is no MLflow database {displayed_uri(paths)}; expected one that an earlier run made "
            f"({SETTING} or {VARIABLE} names another; without either it is the workspace's own {DEFAULT_URI})"
        )
    return connect(paths)


def connect(paths: Paths, wait_seconds: float = 0.0) -> MlflowClient:
    """A client of the configured store, which has just answered; creates the SQLite database if there is none.

    Args:
        paths: the workspace; a SQLite database and its artifacts are corrected if the workspace was moved.
        wait_seconds: longest wait, with growing pauses, for a store that does not answer.

    Raises:
        TrackingUnreachable: the server does not answer, or answers with an error; or another process holds the database.
        UserError: the address is wrong, the server wants credentials, or the database is of another MLflow version or is none.
    """
    return call_patiently(lambda: _connect(paths), wait_seconds)


def _connect(paths: Paths) -> MlflowClient:
    """One attempt to connect."""
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
        warnings.filterwarnings("ignore", message=r"(?s).*AnyType", category=UserWarning)  # MLflow on its own types
        yield


def _client(uri: str) -> MlflowClient:
    """A client; also sets MLflow's global address, because models are logged through module-level functions."""
    with quiet_imports():
        import mlflow

        from seq2seq_core.tracking.mlflow.redacting_client import RedactingClient

        if split_scheme(uri)[0] in ("sqlite", *DATABASE_PORTS):
            from mlflow.store.db import utils

            # MLflow has no setting for this. Its ten attempts take 100 s, although a wrong password or path fails at once.
            utils.MAX_RETRY_COUNT = DATABASE_ATTEMPTS
        with _unchanged_environment(VARIABLE):
            mlflow.set_tracking_uri(uri)
            mlflow.set_registry_uri(uri)
            return RedactingClient(uri, uri)


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
    with wait_for_lock(find_home(paths).work / "mlflow.lock"):
        yield


@contextmanager
def store_errors(paths: Paths) -> Iterator[None]:
    """Translates MLflow's errors about the store into ours, with the address, the reason and what was expected.

    Raises:
        TrackingUnreachable: the store does not answer, or another process holds the database.
        UserError: the SQLite file is of another MLflow version, or is not a database; or MLflow rejects a request.
        StorageFault: the SQLite file cannot be opened or written.
    """
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import DatabaseError

    try:
        yield
    except (MlflowException, DatabaseError, sqlite3.DatabaseError, RequestException, ConnectionError, TimeoutError) as error:
        raise _translate(error, paths) from error
    except ModuleNotFoundError as error:
        raise UserError(f"MLflow needs a package for {displayed_uri(paths)} that is not installed: {error.name}") from error


def _translate(error: Exception, paths: Paths) -> Exception:
    """Our error for an error of MLflow, or the same error where it is a fault of the program."""
    reason, place = short_reason(error), displayed_uri(paths)
    if "out-of-date database schema" in reason or "Can't locate revision" in reason:
        return UserError(
            f"MLflow's database {place} is of another MLflow version; expected this version's schema: back the file up, then run: "
            f"mlflow db upgrade {place}"
        )
    if "file is not a database" in reason:
        return UserError(f"{place} is not a SQLite database; expected MLflow's database there: move that file away")
    if database_file(paths) is not None and "is locked" in reason:
        return TrackingUnreachable(
            f"MLflow's database {place} is locked, because another process is writing to it; expected it to be free within "
            "seconds: end what holds it open (a database browser, a stopped process), or keep the runs on an MLflow server"
        )
    if database_file(paths) is not None and re.search("unable to open|readonly|disk", reason):
        return StorageFault(f"MLflow's database {place}: {reason}; expected a file that this user may write, on a disk with room")
    if (status := http_status(error)) in (401, 403):
        return _denied(paths, status)
    if is_temporary(error):
        return unreachable(paths, reason)
    return UserError(f"MLflow at {place} refuses: {reason}") if 400 <= status < 500 else error


def _denied(paths: Paths, status: int) -> UserError:
    """The error for a server that wants credentials, or other ones."""
    has_user = any(os.environ.get(name) for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_TOKEN"))
    lack = "rejects the credentials" if has_user or has_credentials(tracking_uri(paths)) else "wants credentials"
    return UserError(f"MLflow at {displayed_uri(paths)} {lack} (HTTP status {status}); expected them in {CREDENTIALS_ADVICE}")


def is_answering(client: MlflowClient) -> bool:
    """Whether the store answers an easy question.

    Args:
        client: the MLflow client.
    """
    try:
        client.search_experiments(max_results=1)
    except Exception:  # noqa: BLE001 - whatever a client raises, it is no answer
        return False
    return True


def unreachable(paths: Paths, reason: str) -> TrackingUnreachable:
    """The error for a store that does not answer.

    Args:
        paths: the workspace, for the store's address.
        reason: one line, from the network or from MLflow.
    """
    place = displayed_uri(paths)
    return TrackingUnreachable(
        f"MLflow does not answer at {place}{describe_proxy(place)}: {reason}; expected a running MLflow tracking server there "
        f"({SETTING} or {VARIABLE} names another; without either it is the workspace's own {DEFAULT_URI})"
    )


def _probe(uri: str, paths: Paths) -> None:
    """Checks within seconds that the store answers, before MLflow's own clients start their retries."""
    scheme, _ = split_scheme(uri)
    if scheme in SERVER_SCHEMES:
        _probe_server(uri, paths)
    elif scheme in DATABASE_PORTS:
        host, port = host_and_port(uri)
        try:
            if host:
                socket.create_connection((host, port or DATABASE_PORTS[scheme]), PROBE_SECONDS).close()
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
        reason = short_reason(error)
        if "WRONG_VERSION_NUMBER" in str(error):
            reason = f"it does not speak TLS (perhaps {displayed_uri(paths).replace('https:', 'http:')})"
        raise unreachable(paths, reason) from error
    if answer.status_code in (401, 403):
        raise _denied(paths, answer.status_code)
    if answer.status_code >= 400:
        reason = f"it answers the request /version with HTTP status {answer.status_code}, as another program or a proxy would"
        raise unreachable(paths, reason)


def short_reason(error: BaseException) -> str:
    """The innermost reason of an error in one line, without the layers of the HTTP library and without secrets.

    Args:
        error: an error of a request to the store.
    """
    text = str(error) or type(error).__name__
    for pattern in (r"\[Errno -?\d+\] [^'\")]+", r"Connection refused", r"timed out"):
        if found := re.search(pattern, text):
            return found.group(0)
    return redact(text.strip().splitlines()[0])
