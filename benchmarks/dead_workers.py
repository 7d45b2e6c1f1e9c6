"""Kills a worker and its flow run with `kill -9` and shows who notices: the Prefect server, and the webhook.

    python benchmarks/dead_workers.py                          about 4 minutes
    python benchmarks/dead_workers.py --dead-after 300         with the default of runtime.flow.dead_after_seconds

A server, a worker and the deployments of `prefect.yaml` on a toy graph whose stage hangs. First the worker and its run are
killed: nobody is left to report it but the automation of `s2s setup-prefect`. Then a run is asked for that no worker starts.
Prints the state of both runs and what the webhook heard, once each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.measured.month_deployment import answers  # noqa: E402
from flows.server.local_server import free_port  # noqa: E402
from tests.flows.conftest import CHAIN, make_repository, make_toy_workspace  # noqa: E402
from tests.flows.waiting import wait_until  # noqa: E402
from tests.flows.webhook_server import webhook_server  # noqa: E402

BIN = Path(sys.executable).parent
LATE_SECONDS = 20.0


def main() -> None:
    """Runs both experiments and prints what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dead-after", type=float, default=90.0, help="runtime.flow.dead_after_seconds")
    dead_after = parser.parse_args().dead_after
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, heard = stack.enter_context(webhook_server())
        workspace = make_toy_workspace(folder / "workspace", make_repository(folder / "repository"), CHAIN)
        workspace.set_flow(notify={"webhook_url": url}, dead_after_seconds=dead_after, late_after_seconds=LATE_SECONDS)
        workspace.behave("train", "hang:x")
        for name in ("flows", "prefect.yaml"):
            place = workspace.root / name
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, place)
        port = free_port()
        os.environ.update(PREFECT_HOME=str(folder / "home"), PREFECT_API_URL=f"http://127.0.0.1:{port}/api")
        server = _start(stack, folder, BIN / "prefect", "server", "start", "--port", str(port))
        api = os.environ["PREFECT_API_URL"]
        wait_until(lambda: _runs(server) and answers(f"{api}/health"), "the server")
        for command in ([BIN / "s2s", "setup-prefect"], [BIN / "prefect", "--no-prompt", "deploy", "--all"]):
            subprocess.run(command, cwd=workspace.root, check=True)
        worker = _start(stack, folder, BIN / "prefect", "worker", "start", "--pool", "seq2seq-pool")
        _show("killed with its worker", _kill_both(workspace.root, worker), heard, dead_after)
        heard.clear()
        _show("asked for without a worker", _ask_for_run(), heard, LATE_SECONDS)


def _kill_both(workspace: Path, worker: subprocess.Popen[bytes]) -> UUID:
    """Starts a run, waits until its stage hangs, and kills its worker with all processes below it."""
    run = _ask_for_run()
    wait_until(lambda: _runs(worker) and (workspace / ".s2s" / "hanging").exists(), "the stage that hangs")
    tree = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
    for process in tree:
        process.kill()
    return run


def _show(what: str, run: UUID, heard: list[Any], seconds: float) -> None:
    """Waits for the notification about a run and prints it with the run's state."""
    from prefect.client.orchestration import get_client

    started = time.monotonic()
    with get_client(sync_client=True) as client:
        print(f"{what}: {client.read_flow_run(run).state_name}", flush=True)
        while not heard and time.monotonic() - started < seconds + 300:
            time.sleep(1)
        print(f"{what}: {client.read_flow_run(run).state_name} after {time.monotonic() - started:.0f} s; the webhook heard:")
        for body in heard or ["nothing"]:
            print(f"  {body}")


def _ask_for_run() -> UUID:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return client.create_flow_run_from_deployment(client.read_deployment_by_name("retrain/toy-on-demand").id).id


def _start(stack: ExitStack, folder: Path, *command: object) -> subprocess.Popen[bytes]:
    """Starts a command that ends with the script."""
    process = subprocess.Popen([str(word) for word in command], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


def _runs(process: subprocess.Popen[bytes]) -> bool:
    """True while a process runs; a command that ended ends the script, because what it should do never comes."""
    if process.poll() is not None:
        raise SystemExit(f"{process.args!r} ended with exit code {process.returncode}")
    return True


if __name__ == "__main__":
    main()
