"""Keeps a workspace's MLflow database usable after the workspace was moved or copied.

MLflow stores the absolute address of every artifact. A copy of the workspace must not read or write the original's artifacts, and
a moved workspace must find its own. Therefore the prefix of these addresses is corrected when the database is opened.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

logger = logging.getLogger(__name__)
BUSY_SECONDS = 10.0
"""Longest wait for another process that writes to the database."""
_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def relocate_artifacts(database: Path, location: str) -> int:
    """Moves artifact addresses in the database to ``location``; returns the number of changed addresses.

    Args:
        database: MLflow's SQLite file.
        location: the ``file://`` address of the artifact folder beside it, ending in ``/mlartifacts``.
    """
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {table for table, _ in _PLACES} <= tables:
            return 0  # an empty or foreign database: MLflow itself reports the fault
        changed = sum(_relocate_all(connection, old, location) for old in _former_locations(connection, location))
        connection.commit()
    if changed:
        logger.info("the workspace was moved: corrected %d artifact places in %s", changed, database.name)
    return changed


def _former_locations(connection: sqlite3.Connection, location: str) -> set[str]:
    """The artifact folders of experiments other than ``location``."""
    rows = connection.execute("SELECT artifact_location FROM experiments WHERE artifact_location LIKE 'file://%/mlartifacts'")
    return {place for (place,) in rows if place != location}


def _relocate_all(connection: sqlite3.Connection, old: str, new: str) -> int:
    """Moves addresses from ``old`` to ``new``; returns the number of changed addresses."""
    changed = 0
    for table, column in _PLACES:
        changed += connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR {column} LIKE ? ESCAPE '!'",
            (new, len(old) + 1, old, _escape(old) + "/%"),
        ).rowcount
    return changed


def _escape(text: str) -> str:
    """A text as a literal LIKE pattern: the ``%`` of an encoded address must match only itself."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
