"""A PostgreSQL server of its own for tests and benchmarks, of the programs that are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.server.local_server import free_port

ORDINARY_USERS = ("postgres", "nobody")
"""PostgreSQL refuses to run as root."""


def find_programs() -> Path | None:
    """The folder with ``initdb``, ``postgres`` and ``createdb``; None where there is none."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = [Path(found).parent] if (found := shutil.which("initdb")) else []
    return next((folder for folder in (*installed, *on_path) if (folder / "initdb").is_file()), None)


@contextmanager
def postgresql(place: Path) -> Iterator[str]:
    """The address of the database ``mlflow`` of a server, which ends with the ``with`` block.

    Its programs come first on this process's path, and its user ``mlflow`` is that of libpq's clients.

    Args:
        place: a new folder for its files, in one that every user may enter.
    """
    programs = find_programs()
    assert programs is not None, "no PostgreSQL server is installed here"
    user = next(name for name in ORDINARY_USERS if _is_user(name)) if os.geteuid() == 0 else None
    place.mkdir()
    if user:
        shutil.chown(place, user)
    port = free_port()

    def run_quietly(*command: str) -> bool:
        return subprocess.run(command, user=user, cwd=place, stdout=subprocess.DEVNULL, check=False).returncode == 0

    assert run_quietly(str(programs / "initdb"), "-D", str(place / "data"), "-A", "trust", "-U", "mlflow"), "initdb failed"
    server = subprocess.Popen(
        [str(programs / "postgres"), "-D", str(place / "data"), "-p", str(port), "-k", str(place)],
        user=user, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        create = (str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "mlflow", "mlflow")
        deadline = time.monotonic() + 60
        while not run_quietly(*create):
            assert time.monotonic() < deadline, "PostgreSQL never answered"
            time.sleep(0.5)
        os.environ["PGUSER"] = "mlflow"  # params.yaml takes no user names
        os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
        yield f"postgresql+psycopg2://127.0.0.1:{port}/mlflow"
    finally:
        server.send_signal(signal.SIGINT)  # "fast": SIGTERM would wait until every client has gone
        server.wait(30)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
