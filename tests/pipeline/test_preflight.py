"""`s2s preflight` in a clone: the forecast before a run, the comparison after it, and nothing left behind by Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from seq2seq_core.artifacts import Paths
from seq2seq_core.forecasts.forecast_check import read_checks
from seq2seq_core.stage_table import STAGES
from tests.flows.waiting import lives
from tests.pipeline.conftest import Workspace

WAIT_SECONDS = 120


def left_behind(workspace: Workspace) -> set[str]:
    """What a preflight left in the work folder, but for its lock."""
    return {entry.name for entry in Paths(workspace.root).preflight.iterdir()} - {"lock"}


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_behind(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace("stopped")
    place = Paths(workspace.root).preflight / "sample" / "large" / "code.log"
    command = [sys.executable, "-m", "seq2seq_core.cli.main", "preflight"]
    process = subprocess.Popen(command, cwd=workspace.root, env=workspace.environment, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + WAIT_SECONDS
    while not place.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130, told
    assert children
    assert not any(map(lives, children))
    assert left_behind(workspace) == set()


@pytest.mark.long
def test_a_run_is_foretold_compared_and_learnt_from(make_workspace: Callable[[str], Workspace]) -> None:
    workspace = make_workspace("foretold")
    names = [stage.name for stage in STAGES]
    done = workspace.call("preflight", "--json")
    assert done.exit_code == 0, done.output
    first = json.loads(done.stdout)
    assert [stage["stage"] for stage in first["stages"]] == names
    assert first["refusals"] == []
    assert left_behind(workspace) == {"forecast.json"}
    workspace.must("dvc", "repro")
    checks = {check.stage: check for check in read_checks(Paths(workspace.root))}
    assert list(checks) == names
    runs = workspace.store.search_runs(["1"], "tags.stage = 'train'")
    assert "foretold" in runs[0].data.tags["forecast"]
    assert runs[0].data.metrics["actual_cpu_seconds"] > 0
    assert '<th dir="auto">forecast</th>' in (workspace.root / "reports" / "run.html").read_text(encoding="utf-8")

    second = workspace.call("preflight", "--memory", "1 MB", "--json")
    assert second.exit_code == 2
    assert "this run cannot fit:" in second.output
    assert "memory: train needs" in second.output
    found = json.loads(second.stdout[: second.stdout.rindex("}") + 1])
    for stage in found["stages"]:
        assert stage["corrections"]["output_bytes"] == pytest.approx(checks[stage["stage"]].ratios.get("output_bytes", 1.0))
