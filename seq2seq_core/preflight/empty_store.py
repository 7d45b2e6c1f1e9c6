"""Makes an empty MLflow database in a folder, and prints what it took: ``python -m seq2seq_core.preflight.empty_store FOLDER``.

The stage that makes the database of a workspace loads MLflow anyway; only the making comes on top.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.tracking.mlflow.store import connect, quiet_imports


def main() -> None:
    """Makes the database; the last line printed has duration and processor time, in seconds."""
    with quiet_imports():
        import mlflow
        import mlflow.store.db.utils
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    started, cpu = time.monotonic(), time.process_time()
    connect(Paths(Path(sys.argv[1])))
    sys.stdout.write(f"{time.monotonic() - started} {time.process_time() - cpu}\n")


if __name__ == "__main__":
    main()
