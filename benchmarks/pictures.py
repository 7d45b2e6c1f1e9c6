"""Makes the pictures of docs/pictures/ from the real pages, so that they can be renewed.

    make demo && python benchmarks/pictures.py                     all pictures, of this workspace
    python benchmarks/pictures.py --workspace FOLDER --only trial_page
    python benchmarks/pictures.py --into /tmp/pictures --width 390  as on a phone

It needs Chromium and the package playwright, which drives it (`pip install playwright`; on Debian `apt-get install chromium`). The
script starts `s2s ui` and `s2s serve` of the workspace on free ports, opens the pages, waits until what they show is there, and
writes a PNG each: the last flow run in Prefect, the curves of the longest training in MLflow, the report of the run, the page to
try the model. For a flow run in which some stages were up to date, run `s2s retrain --force evaluate` before. No page reaches
another machine. The pictures are for reading, not for comparison: times, names and versions differ from run to run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS, SHOWN_MILLISECONDS = 180.0, 60_000
SOURCE = "mercredi 20 février 1991"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Servers:
    """The addresses of the workspace's pages."""

    workspace: Path
    mlflow: str
    prefect: str
    model: str


def ask(address: str, content: object | None = None) -> Any:
    """The JSON that a server of this machine answers.

    Args:
        address: of the page.
        content: is sent as JSON; None: nothing is sent.
    """
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with DIRECT.open(request, timeout=30.0) as answer:
        return json.load(answer)


def show_flow_run(page: Any, servers: Servers) -> None:
    """Opens the last flow run that reached its end."""
    wanted = {"sort": "END_TIME_DESC", "limit": 1, "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    (run,) = ask(f"{servers.prefect}/api/flow_runs/filter", wanted)
    page.goto(f"{servers.prefect}/runs/flow-run/{run['id']}")
    page.get_by_text(run["name"]).first.wait_for(timeout=SHOWN_MILLISECONDS)
    page.locator("canvas").first.wait_for(timeout=SHOWN_MILLISECONDS)
    page.wait_for_timeout(6000)  # the graph is drawn on a canvas, which says nothing of its end


def show_curves(page: Any, servers: Servers) -> None:
    """Opens the curves of the longest training."""
    experiments = ask(f"{servers.mlflow}/api/2.0/mlflow/experiments/search", {"max_results": 100})["experiments"]
    wanted = {
        "experiment_ids": [experiment["experiment_id"] for experiment in experiments],
        "filter": "tags.`mlflow.runName` = 'train'",
        "order_by": ["metrics.best_step DESC"],
        "max_results": 1,
    }
    (run,) = ask(f"{servers.mlflow}/api/2.0/mlflow/runs/search", wanted)["runs"]
    place = f"experiments/{run['info']['experiment_id']}/runs/{run['info']['run_id']}/model-metrics"
    page.goto(f"{servers.mlflow}/#/{place}?workflowType=machine_learning")
    page.get_by_text("dev_exact_match").first.wait_for(timeout=SHOWN_MILLISECONDS)
    page.wait_for_timeout(4000)  # a panel opens late in some versions; this button closes it
    panel = page.locator("[data-component-id='mlflow.assistant.chat_panel.close']")
    if panel.count():
        panel.first.click(timeout=SHOWN_MILLISECONDS)
    page.wait_for_timeout(4000)  # the charts appear one after the other


def show_report(page: Any, servers: Servers) -> None:
    """Opens the report of the run, from the disk."""
    page.goto((servers.workspace / "reports" / "run.html").resolve().as_uri())


def show_trial(page: Any, servers: Servers) -> None:
    """Asks the model on its page."""
    page.goto(servers.model)
    page.locator("#form").wait_for(timeout=SHOWN_MILLISECONDS)
    page.locator("#text").fill(SOURCE)
    page.locator("#run").click()
    page.locator("#alignment").wait_for(timeout=SHOWN_MILLISECONDS)


@dataclass(frozen=True)
class Picture:
    """A picture: what opens the page, the command that serves it (ui or serve), and how much of it is shown."""

    show: Callable[[Any, Servers], None]
    needs: str
    width: int
    height: int
    is_whole: bool = False


PICTURES = {
    "prefect_run": Picture(show_flow_run, "ui", 1400, 900),
    "mlflow_curves": Picture(show_curves, "ui", 1400, 950),
    "run_report": Picture(show_report, "", 1200, 1100),
    "trial_page": Picture(show_trial, "serve", 1000, 800, is_whole=True),
}


@contextlib.contextmanager
def serving(workspace: Path, python: str, needs: set[str]) -> Iterator[Servers]:
    """Starts the servers that the pictures need; ends them behind the block.

    Args:
        workspace: the folder with dvc.yaml.
        python: the interpreter of its environment.
        needs: of ``ui`` and ``serve``.

    Raises:
        SystemExit: a server ended, or does not answer in time.
    """
    mlflow, prefect, model = (_free_port() for _ in range(3))
    servers = Servers(workspace, *(f"http://127.0.0.1:{port}" for port in (mlflow, prefect, model)))
    commands = {
        "ui": (
            ["ui", "--mlflow-port", str(mlflow), "--prefect-port", str(prefect)],
            [servers.mlflow, f"{servers.prefect}/api/health"],
        ),
        "serve": (["serve", "--port", str(model)], [f"{servers.model}/ready"]),
    }
    started = []
    try:
        for name in sorted(needs):
            arguments, addresses = commands[name]
            command = [python, "-m", "seq2seq_core.cli.main", *arguments]
            process = subprocess.Popen(command, cwd=workspace, stdout=subprocess.DEVNULL, start_new_session=True)
            started.append(process)
            for address in addresses:
                _wait_until_ready(process, address)
        yield servers
    finally:
        for process in started:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in started:
            process.wait(timeout=60)


def _free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"the server of {address} ended with {process.returncode}; is there a workspace after `make demo`?")
        with contextlib.suppress(OSError), DIRECT.open(address, timeout=5.0):
            return
        time.sleep(0.5)
    sys.exit(f"{address} does not answer after {READY_SECONDS:.0f} s")


def _stay_here(route: Any) -> None:
    """Lets through requests to this machine alone."""
    if urlsplit(route.request.url).hostname in (None, "127.0.0.1"):
        route.continue_()
    else:
        route.abort()


def main() -> None:
    """Makes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, default=ROOT, help="after `make demo` (default: this one)")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the workspace's environment (default: this one)")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--only", action="append", choices=sorted(PICTURES), help="one picture; several times")
    parser.add_argument("--width", type=int, help="width of the window in pixels (default: that of each picture)")
    parser.add_argument("--dark", action="store_true", help="the pages' dark colours")
    parser.add_argument("--chromium", default=os.environ.get("CHROMIUM", "/usr/bin/chromium"))
    arguments = parser.parse_args()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("needs the package playwright; run: pip install playwright")
    chosen = {name: PICTURES[name] for name in arguments.only or PICTURES}
    needs = {
        need for need, names in {"ui": {"prefect_run", "mlflow_curves"}, "serve": {"trial_page"}}.items() if names & chosen.keys()
    }
    arguments.into.mkdir(parents=True, exist_ok=True)
    with serving(arguments.workspace, arguments.python, needs) as servers, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        for name, picture in chosen.items():
            page = browser.new_page(
                viewport={"width": arguments.width or picture.width, "height": picture.height},
                color_scheme="dark" if arguments.dark else "light",
            )
            page.route("**/*", _stay_here)
            picture.show(page, servers)
            page.screenshot(path=arguments.into / f"{name}.png", full_page=picture.is_whole)
            page.close()
            print(arguments.into / f"{name}.png", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
