"""Makes an empty MLflow database in a folder: ``python -m seq2seq_core.preflight.empty_store FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from seq2seq_core.artifacts import Paths
from seq2seq_core.tracking.mlflow.store import connect

if __name__ == "__main__":
    connect(Paths(Path(sys.argv[1])))
