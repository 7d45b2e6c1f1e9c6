"""A Prefect server with its schedules and all other services, which this process uses too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.server.environment import prepare_environment
from flows.server.local_server import _send_the_rest, free_port, home, server_variables, wait_until_ready
from flows.server.pages import _serving, prefect_page
from seq2seq_core.artifacts import Paths


def make_database(folder: Path) -> None:
    """Makes a migrated, empty database in a folder, as the first start of a server does."""
    paths = Paths(folder)
    home(paths).mkdir(parents=True)
    command = [sys.executable, "-P", "-m", "prefect", "server", "database", "upgrade", "-y"]
    subprocess.run(command, env={**os.environ, **server_variables(paths)}, check=True, capture_output=True)


@contextmanager
def serve_prefect(folder: Path, template: Path) -> Iterator[str]:
    """The address of a server that keeps its database in a folder.

    Args:
        folder: an empty folder.
        template: the folder of a database, which is copied.
    """
    prepare_environment()
    from prefect.context import _temporary_global_settings_context, get_settings_context
    from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_DATABASE_CONNECTION_URL, temporary_settings

    paths = Paths(folder)
    shutil.copytree(home(Paths(template)), home(paths))
    page = prefect_page(paths, free_port())
    url, database = f"{page.address}/api", f"sqlite+aiosqlite:///{home(paths) / 'prefect.db'}"
    with (
        _serving(page, paths) as process,
        temporary_settings({PREFECT_API_URL: url, PREFECT_SERVER_DATABASE_CONNECTION_URL: database}),
    ):
        wait_until_ready(process, f"{page.address}{page.health}", "the tests' Prefect server", 180.0, paths.logs)
        with _temporary_global_settings_context(get_settings_context()):  # for threads, as prefect_test_harness does
            yield url
            _send_the_rest()
