"""A retrain of a team: PostgreSQL, S3, a Prefect server, and two workers that share no disk, one of them killed in train.

    python benchmarks/machines.py                  about 400 CPU seconds
    python benchmarks/machines.py --folder FOLDER  keeps everything in a new folder

MLflow keeps its runs in PostgreSQL and its files in S3 (moto's server), Prefect its runs in PostgreSQL, DVC its data in S3. The
stages `train` and `evaluate` run on the pool `cpu`, the others in the flow's workspace. The worker that trains dies with its
machine once its training state has reached S3. In the end:

- the run has completed, and the second worker went on where the first one was,
- `dvc.lock` has the bytes of that of one workspace, which has run the graph by `dvc repro`,
- the champion, served in a folder of its own, comes from S3 and answers.

The servers, the workers and the model server are started by the commands of `deploy/compose.yaml`, without containers, and each
must pass its health check.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from flows.server.local_server import free_port  # noqa: E402
from tests.flows.machines.workers import Worker  # noqa: E402
from tests.flows.waiting import wait_until  # noqa: E402
from tests.pipeline.conftest import CLONED, SMALL, Workspace, _environment, _write_corpus  # noqa: E402
from tests.postgresql_server import postgresql  # noqa: E402

BUCKET, POOL = "s2s", "cpu"
"""As in ``deploy/compose.yaml``."""
PORTS = {"mlflow": "5000", "prefect": "4200", "worker": "8080", "serve": "5001"}
BIN = Path(sys.executable).parent
STEPS = 800
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-secret", "AWS_DEFAULT_REGION": "us-east-1"}
QUIET = {
    "DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "OMP_NUM_THREADS": "1",
}  # fmt: skip


def main() -> None:
    """Runs the retrain, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="a new folder to work in, which stays")
    arguments = parser.parse_args()
    os.environ.update(QUIET | KEYS)
    with ExitStack() as stack:
        place = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="s2s-machines-")))
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
        faults = run(place.resolve(), stack)
    cpu = os.times()
    print(f"{cpu.user + cpu.system + cpu.children_user + cpu.children_system:.0f} CPU seconds, servers included")
    print(*faults, sep="\n")
    raise SystemExit(1 if faults else 0)


def run(place: Path, stack: ExitStack) -> list[str]:
    """The retrain and the comparison; returns what is not as it should be."""
    database = re.sub(r"^[^:]*://|/[^/]*$", "", stack.enter_context(postgresql(place / "postgresql")))
    s3 = stack.enter_context(s3_server(place))
    places = {"s2s:${POSTGRES_PASSWORD:?set it in .env}@postgres": f"mlflow@{database}", "s2s@postgres": f"mlflow@{database}"}
    subprocess.run(from_compose("bucket", {}, 0).command, env={**os.environ, "AWS_ENDPOINT_URL_S3": s3}, check=True)
    own = {"AWS_ENDPOINT_URL_S3": s3}
    own["MLFLOW_TRACKING_URI"] = stack.enter_context(serve_from_compose(place, "mlflow", places, own))
    subprocess.run(["createdb", "-h", "127.0.0.1", "-p", database.rpartition(":")[2], "-U", "mlflow", "prefect"], check=True)
    home = {"PREFECT_HOME": str(place / "prefect-home"), "PREFECT_SERVER_UI_ENABLED": "false"}
    own["PREFECT_API_URL"] = stack.enter_context(serve_from_compose(place, "prefect", places, home)) + "/api"
    workspace = make_workspace(place, s3, own)
    print(workspace.must("s2s", "setup-prefect"))
    workers = [start_worker(place / name, own, stack) for name in ("north", "south")]
    killer = threading.Thread(target=kill_the_trainer, args=(workers, s3), daemon=True)
    killer.start()
    result = workspace.run("s2s", "retrain")
    text = result.stdout + result.stderr
    (place / "retrain.log").write_text(text, encoding="utf-8")
    print(text)
    faults = [] if result.returncode == 0 else [f"the retrain ended with {result.returncode}"]
    said = "".join(worker.log for worker in workers)
    faults += [f"no worker says {words!r}" for words in ("fetched the training state", "going on after step") if words not in said]
    faults += compare(place, workspace, own)
    return faults + ask_champion(place, own, stack)


@dataclass(frozen=True)
class Service:
    """A service of ``deploy/compose.yaml`` as it runs without containers.

    Attributes:
        command: its command.
        variables: those of its environment variables that hold no reference.
        check: its health check.
        port: the port that it listens on.
    """

    command: list[str]
    variables: dict[str, str]
    check: list[str]
    port: int


def from_compose(name: str, places: dict[str, str], port: int) -> Service:
    """A service of ``deploy/compose.yaml`` with the addresses of this machine.

    Args:
        name: of the service.
        places: texts to replace, such as the address of the database.
        port: in place of the one that it has there; 0: it has none.
    """
    service = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))["services"][name]
    own_port = PORTS.get(name, "")
    replaced = {"${S2S_HOST:-localhost}": "localhost", "${S2S_MODEL:-dates}": "digits", "0.0.0.0": "127.0.0.1", **places}

    def here(word: str) -> str:
        for old, new in replaced.items():
            word = word.replace(old, new)
        return word.replace(own_port, str(port)) if own_port else word

    variables = {key: here(value) for key, value in service["environment"].items() if key.startswith("PREFECT_")}
    checked = [here(word) for word in service.get("healthcheck", {}).get("test", [])[1:]]
    program, *rest = [here(word) for word in service["command"]]
    return Service([str(BIN / program), *rest], variables, checked, port)


@contextmanager
def serve_from_compose(place: Path, name: str, places: dict[str, str], variables: dict[str, str]) -> Iterator[str]:
    """The address of a service that has passed its health check, for the ``with`` block."""
    service = from_compose(name, places, free_port())
    log = place / f"{name}.log"
    environment = {**os.environ, **service.variables, **variables}
    with log.open("wb") as file:
        process = subprocess.Popen(service.command, cwd=place, env=environment, stdout=file, stderr=file)
    started = time.monotonic()
    try:
        wait_until(lambda: is_healthy(service), f"health of {name}: {log.read_text(encoding='utf-8')}", 900.0)
        print(f"{name}: healthy after {time.monotonic() - started:.0f} s", flush=True)
        yield f"http://127.0.0.1:{service.port}"
    finally:
        process.terminate()
        process.wait(60)


def is_healthy(service: Service) -> bool:
    """Whether a service passes its health check."""
    program, *rest = service.check
    asked = subprocess.run([str(BIN / program), *rest], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return asked.returncode == 0


def start_worker(folder: Path, own: dict[str, str], stack: ExitStack) -> Worker:
    """Starts a worker by the command of ``compose.yaml``, and waits until it is healthy.

    It has no credentials for S3 but its variables, and no files but those of its folder.
    """
    service = from_compose("worker", {"http://prefect:4200/api": own["PREFECT_API_URL"]}, free_port())
    variables = {**_environment(folder), **os.environ, **own, **service.variables, "PYTHONPATH": str(ROOT)}
    worker = Worker(folder, POOL, {**variables, "PREFECT_WORKER_WEBSERVER_PORT": str(service.port)}, tuple(service.command))
    stack.callback(worker.kill)
    worker.start()
    wait_until(lambda: is_healthy(service), f"health of the worker {folder.name}: {worker.log}", 900.0)
    print(f"worker {folder.name}: healthy", flush=True)
    return worker


def kill_the_trainer(workers: list[Worker], s3: str) -> None:
    """Kills the worker that trains, once its training state is in S3."""
    client = s3_client(s3)

    def has_state() -> bool:
        found = client.list_objects_v2(Bucket=BUCKET, Prefix="dvc/s2s_training_state/").get("Contents", [])
        return any(entry["Key"].endswith("manifest.json") for entry in found)

    wait_until(has_state, "a training state in S3", 1800.0)
    trainer = next(worker for worker in workers if worker.has(".s2s/train"))
    trainer.kill()
    print(f"killed the worker {trainer.folder.name}, which trained", flush=True)


def compare(place: Path, workspace: Workspace, own: dict[str, str]) -> list[str]:
    """Whether one workspace ends in the same ``dvc.lock``; returns what differs."""
    alone = Workspace(place / "alone", {**workspace.environment, **own, "PYTHONPATH": str(place / "alone")})
    workspace.must("git", "clone", "-q", str(place / "code.git"), str(alone.root))
    shutil.copytree(workspace.root / "data" / "raw" / "digits", alone.root / "data" / "raw" / "digits")
    alone.must("dvc", "repro")
    same = alone.lock == workspace.lock
    print(f"dvc.lock of one workspace: {'the same' if same else 'DIFFERS'}, {len(alone.lock)} bytes")
    return [] if same else ["dvc.lock differs from that of one workspace"]


def ask_champion(place: Path, own: dict[str, str], stack: ExitStack) -> list[str]:
    """Serves the champion in a folder of its own, which gets it from S3, and asks it; returns what is wrong with the answer."""
    folder = place / "elsewhere"
    folder.mkdir()
    for name in ("dvc.yaml", "params.yaml"):  # as in the image
        shutil.copy(ROOT / name, folder)
    address = stack.enter_context(serve_from_compose(folder, "serve", {}, own))
    answer = httpx.post(f"{address}/invocations", json={"inputs": ["123"]}, trust_env=False, timeout=60.0)
    print(f"the champion, served from S3, answers {answer.status_code} {answer.text} as {answer.headers.get('X-S2S-Model')}")
    return [] if answer.is_success and answer.json()["predictions"] else ["the champion does not answer"]


def make_workspace(place: Path, s3: str, own: dict[str, str]) -> Workspace:
    """The flow's workspace: a small corpus under DVC, a remote in S3, a repository to clone from."""
    root = place / "workspace"
    root.mkdir()
    for entry in CLONED:
        source = ROOT / entry
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / entry)
    workspace = Workspace(root, {**_environment(root), **own})
    for section, values in SMALL.items():
        workspace.change(section, **values)
    workspace.change("train", max_steps=STEPS, validate_every_steps=100, patience=100)
    flow = {
        "stages": {stage: {"pool": POOL, "retries": 1, "retry_delay_seconds": 0.0} for stage in ("train", "evaluate")},
        "pools": {"lost_after_seconds": 60.0, "state_every_seconds": 1.0},
    }
    workspace.change("runtime", checkpoint_every_seconds=1.0, flow=flow)
    _write_corpus(root / "data" / "raw" / "digits")
    workspace.must("git", "init", "-q", "-b", "main")
    workspace.must("dvc", "init", "-q")
    workspace.must("dvc", "add", "-q", "data/raw/digits")
    workspace.must("dvc", "remote", "add", "-q", "-d", "store", f"s3://{BUCKET}/dvc")
    workspace.must("dvc", "remote", "modify", "store", "endpointurl", s3)
    workspace.must("git", "add", "-A")
    workspace.must("git", "commit", "-q", "-m", "start")
    workspace.must("git", "clone", "-q", "--bare", str(root), str(place / "code.git"))
    workspace.must("git", "remote", "add", "origin", f"file://{place / 'code.git'}")
    return workspace


@contextmanager
def s3_server(place: Path) -> Iterator[str]:
    """The address of moto's S3 server, in place of MinIO."""
    address = f"http://127.0.0.1:{free_port()}"
    with (place / "s3.log").open("wb") as file:
        command = [sys.executable, "-P", "-m", "moto.server", "-p", address.rpartition(":")[2]]
        process = subprocess.Popen(command, cwd=place, stdout=file, stderr=file)
    try:
        wait_until(lambda: is_well(f"{address}/moto-api/"), "an answer of moto", 900.0)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def s3_client(address: str) -> Any:
    """A client of the S3 server."""
    return boto3.client("s3", endpoint_url=address)


def is_well(address: str) -> bool:
    """Whether a server answers with success."""
    try:
        return httpx.get(address, trust_env=False).is_success
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
