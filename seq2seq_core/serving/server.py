"""Runs ``mlflow models serve`` for a registered model."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import FrameType

from seq2seq_core.artifacts import Paths
from seq2seq_core.bundle.signature import PUBLIC_VARIABLE, find_public_key
from seq2seq_core.errors import EnvironmentFault, UserError
from seq2seq_core.serving.relayed_output import relayed_output
from seq2seq_core.tracking.mlflow.address import tracking_uri
from seq2seq_core.tracking.mlflow.store import prepare_environment

logger = logging.getLogger(__name__)
STOP_SECONDS = 10.0


def serve_command(reference: str, host: str, port: int) -> list[str]:
    """The command line that serves a model.

    Args:
        reference: ``models:/NAME@ALIAS``, ``models:/NAME/VERSION`` or a model's folder.
        host: the address to listen on.
        port: the port to listen on.
    """
    return [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", reference, "--env-manager", "local"),
        *("--host", host, "--port", str(port)),
    ]


def serve_model(reference: str, paths: Paths, host: str = "127.0.0.1", port: int = 5001) -> None:
    """Serves a registered model until interrupted.

    Args:
        reference: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        paths: the workspace, whose MLflow registry has the model.
        host: the address to listen on.
        port: the port to listen on.

    Raises:
        UserError: the registry has no such version, or the port is taken.
        BundleError: a file of the version is not the one that was registered.
        TrackingUnreachable: MLflow does not answer.
        EnvironmentFault: the server ended by itself.
    """
    from seq2seq_core.registry.stored_model import check_stored_model
    from seq2seq_core.registry.versions import find_version

    version = find_version(reference, paths)
    _check_port(host, port)
    check_stored_model(version, paths)
    prepare_environment()
    logger.info("serving version %s of %s at http://%s:%d/invocations (Ctrl-C stops it)", version.version, version.name, host, port)
    checked = f"models:/{version.name}/{version.version}"  # an alias could move meanwhile
    server = subprocess.Popen(
        serve_command(checked, host, port), env=_environment(paths), cwd=paths.root, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    # Handle SIGINT too: a shell's background job starts with SIGINT ignored, and could not stop the server.
    previous = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    with relayed_output(server):
        try:
            code = server.wait()
        except KeyboardInterrupt:
            logger.info("the server was stopped")
        else:
            raise EnvironmentFault(f"the model server ended by itself with exit code {code}; its own messages are above")
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            _stop(server)


def _environment(paths: Paths) -> dict[str, str]:
    """The environment variables of the server."""
    uri = tracking_uri(paths)
    variables = {
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_REGISTRY_URI": uri,
        # MLflow calls `uvicorn` by name, so it must be on the path even if the virtual environment is not activated.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        # Python reads no bytecode beside the code that was checked: it was not checked.
        "PYTHONPYCACHEPREFIX": str(paths.work / "bytecode"),
    }
    if (key := find_public_key(paths)) is not None:
        variables[PUBLIC_VARIABLE] = str(key.resolve())  # the server checks what it loads, too
    return os.environ | variables


def _check_port(host: str, port: int) -> None:
    """Checks that the port is free, before the server starts."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(f"cannot listen on {host}:{port}: {error.strerror or error}; expected a free port (--port)") from None


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Ends the wait for the server."""
    raise KeyboardInterrupt


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ends the server's whole process group: MLflow starts uvicorn through a shell."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, kind)
        except ProcessLookupError:
            return
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
