"""A month in an hour: a deployed retrain is disturbed in every way that a month brings, and must be in order in the end.

    python benchmarks/month.py                        60 minutes, a run every 2 minutes
    python benchmarks/month.py --minutes 20 --seed 7

A Prefect server, a worker, an MLflow server and a webhook run; the deployment ``digits-nightly`` has a cron of every two minutes,
and its corpus grows. At random moments the worker, MLflow, the Prefect server, the flow's process or a stage is killed, the disk
is full for a while (where the script may mount a small file system), or somebody runs ``dvc repro`` beside. Then the disturbances
end, the corpus grows once more, and a run must succeed that starts 20 minutes later: only such a run tells of a crash that the
server has lost (docs/adr/0023-automations-on-the-server.md).

Asked for in the end: no flow run is left Running, no MLflow run is left RUNNING, no process works in the workspace, the webhook
was told of every run that ended by itself, passwords are in no file, and the last model equals one from a clean clone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.kills import Workspace, make_workspace, processes_in
from benchmarks.measured.month_deployment import PASSWORD, Month, make_month
from flows.server.earlier_runs import HELD_SECONDS
from tests.flows.webhook_server import webhook_server

PATH_SECRET = "canary-path-7391"
DISK_MIB = 900
SETTLE_SECONDS = 1800.0
"""Longer than a dead run may look alive: Prefect keeps back the first events of a scheduled run for up to 15 minutes."""
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def wait_for_undisturbed_run(month: Month) -> dict[str, Any] | None:
    """The first run that starts after crashes of now may be told of and completes, or None after the time limit."""
    started = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + HELD_SECONDS))
    deadline = time.monotonic() + HELD_SECONDS + SETTLE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(5.0)
        for run in month.flow_runs():
            if (run["start_time"] or "") > started and run["state_type"] == "COMPLETED" and run["state_name"] == "Completed":
                return run
    return None


def faults_of(month: Month) -> list[str]:
    """What is not in order after the month; empty where all is."""
    runs = month.flow_runs()
    found = [f"{run['name']} is left {run['state_name']}" for run in runs if run["state_type"] not in ENDED]
    for run in runs:
        told = [body for body in month.told if run["id"] in json.dumps(body) or run["name"] in json.dumps(body)]
        is_silent = run["state_type"] == "CANCELLED" or run["state_name"] == "Skipped"
        if not told and not is_silent:
            found.append(f"the webhook was not told of {run['name']} ({run['state_name']}: {run['state']['message']})")
        reasons = [line for line in (run["state"]["message"] or "").splitlines() if line.strip()]
        if run["state_type"] in ("FAILED", "CRASHED") and (not reasons or "Traceback" in "".join(reasons)):
            found.append(f"{run['name']} gives no reason: {reasons}")
    found += [f"left behind: {' '.join(one.cmdline())[:120]}" for one in processes_in(month.workspace.root)]
    found += [f"MLflow run {name} is left RUNNING" for name in _running_in_mlflow(month)]
    return found + [f"a secret is in {path}" for path in find_secrets(month.workspace.root.parent)]


def _running_in_mlflow(month: Month) -> list[str]:
    program = (
        "import os, mlflow; client = mlflow.MlflowClient()\n"
        "for experiment in client.search_experiments():\n"
        "    for run in client.search_runs([experiment.experiment_id], \"attributes.status = 'RUNNING'\"):\n"
        "        print(run.info.run_name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=month.workspace.variables, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def find_secrets(folder: Path) -> list[str]:
    """The files below a folder that hold the canary password or the secret of the webhook's path.

    Args:
        folder: of the workspace and all servers.
    """
    secrets = [PASSWORD.encode(), PATH_SECRET.encode()]
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and any(secret in path.read_bytes() for secret in secrets)
    ]


def differences_to_a_clean_clone(month: Month, folder: Path) -> list[str]:
    """What differs between the last model and one that ``dvc repro`` makes of the same corpus in a clean clone."""
    clean = make_workspace(folder / "clean", "gru", 60, 0)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(month.workspace.root / name, clean.root / name)
    shutil.rmtree(clean.root / "data" / "raw" / "digits")
    shutil.copytree(month.workspace.root / "data" / "raw" / "digits", clean.root / "data" / "raw" / "digits")
    clean.must("dvc", "repro")

    def digests(workspace: Workspace) -> dict[str, str]:
        bundle = workspace.root / "models" / "served"
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(bundle.iterdir())}

    return [] if digests(clean) == digests(month.workspace) else ["the last model differs from that of a clean clone"]


def find_faults(month: Month, folder: Path, minutes: float) -> list[str]:
    """Disturbs a deployment, lets it come to rest, prints what happened; returns what is not in order.

    Args:
        month: the deployment.
        folder: where a clean clone is made.
        minutes: how long the disturbances last.
    """
    end = time.monotonic() + 60.0 * minutes
    while time.monotonic() < end:
        time.sleep(month.chance.uniform(10.0, 50.0))
        print(f"{time.strftime('%H:%M:%S')} {month.disturb()}", flush=True)
    month.grow()
    last = wait_for_undisturbed_run(month)
    month.stop_schedules()
    faults = faults_of(month)
    faults += ["no run succeeded after the last disturbance"] if last is None else []
    faults += differences_to_a_clean_clone(month, folder) if last is not None else []
    print(f"disturbances: {dict(month.disturbances)}")
    print(f"runs: {dict(Counter(run['state_name'] for run in month.flow_runs()))}, notifications: {len(month.told)}")
    for run in month.flow_runs():
        print(f"  {run['name']}: {run['state_name']}: {run['state']['message']}")
    return faults


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--keep", type=Path, help="a new folder for everything, which is kept; by default a temporary one")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="s2s-month-"))
    small = folder / "small"
    small.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(small)]
    is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    with webhook_server() as (url, told):
        month = make_month(small, told, arguments.seed, f"{url}/{PATH_SECRET}")
        try:
            faults = find_faults(month, folder, arguments.minutes)
        finally:
            for service in (month.worker, month.prefect, month.mlflow):
                service.kill()
            for one in processes_in(month.workspace.root):
                one.kill()
    print("\n".join(faults) or "all in order")
    if arguments.keep is None:
        if is_mounted:
            subprocess.run(["umount", str(small)], check=False)
        shutil.rmtree(folder)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
