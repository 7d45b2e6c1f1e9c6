"""Makes an empty MLflow database, and writes what it took: ``python -m seq2seq_core.preflight.empty_store FOLDER RESULT``.

The stage that makes the database of a workspace loads MLflow anyway; only the making comes on top.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.preflight.probe_result import Timing
from seq2seq_core.tracking.mlflow.store import connect, quiet_imports


def main() -> None:
    """Makes the database in a folder; writes duration and processor time to a file of JSON."""
    folder, result = map(Path, sys.argv[1:])
    with quiet_imports():
        import mlflow
        import mlflow.store.db.utils
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    started, cpu = time.monotonic(), time.process_time()
    connect(Paths(folder))
    taken = Timing(seconds=time.monotonic() - started, cpu_seconds=time.process_time() - cpu)
    result.write_text(taken.model_dump_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
