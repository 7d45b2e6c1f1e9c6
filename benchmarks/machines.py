"""A retrain of a team: PostgreSQL, S3, a Prefect server, and two workers that share no disk, one of them killed in train.

    python benchmarks/machines.py                  about five minutes; needs a PostgreSQL server (as root: run by the user postgres)
    python benchmarks/machines.py --folder FOLDER  keeps everything in a new folder

MLflow keeps its runs in PostgreSQL and its files in S3 (moto's server), Prefect its runs in PostgreSQL, DVC its data in S3. The
stages `train` and `evaluate` run on the pool `gpu`, the others in the flow's workspace. The worker that trains dies with its
machine once its training state has reached S3. In the end:

- the run has completed, and the second worker went on where the first one was,
- `dvc.lock` has the bytes of that of one workspace, which has run the graph by `dvc repro`,
- the champion is loaded from S3 in a folder of its own, and answers.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
from two_writers import postgresql

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from flows.server.local_server import free_port  # noqa: E402
from tests.flows.machines.workers import Worker  # noqa: E402
from tests.flows.waiting import wait_until  # noqa: E402
from tests.pipeline.conftest import CLONED, SMALL, Workspace, _environment, _write_corpus  # noqa: E402

BUCKET, POOL = "team", "gpu"
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
    database = stack.enter_context(postgresql(place / "postgresql"))
    s3 = stack.enter_context(s3_server(place))
    mlflow = stack.enter_context(mlflow_server(place, database, s3))
    prefect = stack.enter_context(prefect_server(place, database))
    own = {"PREFECT_API_URL": prefect, "MLFLOW_TRACKING_URI": mlflow, "MLFLOW_S3_ENDPOINT_URL": s3}
    workspace = make_workspace(place, s3, own)
    print(workspace.must("s2s", "setup-prefect"))
    # A worker has no credentials for S3 but its own variables, and no files but those of its folder.
    workers = [
        Worker(place / name, POOL, {**_environment(place / name), **own, "PYTHONPATH": str(ROOT)}) for name in ("north", "south")
    ]
    for worker in workers:
        stack.callback(worker.kill)
        worker.start()
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
    return faults + load_champion(place, own)


def kill_the_trainer(workers: list[Worker], s3: str) -> None:
    """Kills the worker that trains, once its training state is in S3."""
    client = s3_client(s3)

    def has_state() -> bool:
        found = client.list_objects_v2(Bucket=BUCKET, Prefix="dvc/s2s_training_state/").get("Contents", [])
        return any(entry["Key"].endswith("manifest.json") for entry in found)

    wait_until(has_state, "a training state in S3", 600.0)
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


def load_champion(place: Path, own: dict[str, str]) -> list[str]:
    """Loads the champion in a folder of its own; returns what is wrong with it."""
    folder = place / "elsewhere"
    folder.mkdir()
    program = (
        "import mlflow, json, sys\n"
        "version = mlflow.MlflowClient().get_model_version_by_alias('digits', 'champion')\n"
        "model = mlflow.pyfunc.load_model('models:/digits@champion')\n"
        "print(json.dumps({'version': version.version, 'answers': [str(a) for a in model.predict(['123'])['prediction']]}))\n"
    )
    environment = {**_environment(folder), **own, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    print("the champion, loaded from S3:", done.stdout.strip() or done.stderr)
    if done.returncode:
        return ["the champion cannot be loaded"]
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return [] if str(answer["version"]) == "1" and answer["answers"] else [f"the champion answers {answer}"]


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
    """The address of moto's S3 server with a bucket."""
    with served(place / "s3.log", lambda port: ["moto.server", "-p", str(port)], {}, "/moto-api/") as address:
        s3_client(address).create_bucket(Bucket=BUCKET)
        yield address


def s3_client(address: str) -> Any:
    """A client of the S3 server."""
    return boto3.client("s3", endpoint_url=address)


@contextmanager
def mlflow_server(place: Path, database: str, s3: str) -> Iterator[str]:
    """The address of an MLflow server with its runs in PostgreSQL and its files in S3."""

    def command(port: int) -> list[str]:
        stores = ["--backend-store-uri", database, "--artifacts-destination", f"s3://{BUCKET}/mlflow"]
        return ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *stores]

    with served(place / "mlflow.log", command, {"MLFLOW_S3_ENDPOINT_URL": s3}, "/health") as address:
        yield address


@contextmanager
def prefect_server(place: Path, database: str) -> Iterator[str]:
    """The address of the API of a Prefect server with its runs in PostgreSQL."""
    own, user = re.sub(r"^[^:]*://", "", database).rpartition("/")[0], os.environ["PGUSER"]
    subprocess.run(["createdb", "-h", "127.0.0.1", "-p", own.rpartition(":")[2], "-U", user, "prefect"], check=True)
    variables = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{user}@{own}/prefect",
        "PREFECT_HOME": str(place / "prefect"),
        "PREFECT_SERVER_UI_ENABLED": "false",
    }
    command = lambda port: ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]  # noqa: E731
    with served(place / "prefect.log", command, variables, "/api/health") as address:
        yield f"{address}/api"


@contextmanager
def served(log: Path, command: Callable[[int], list[str]], variables: dict[str, str], health: str) -> Iterator[str]:
    """The address of a server of a Python module, for the ``with`` block."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", *command(port)], cwd=log.parent, env={**os.environ, **variables}, stdout=file, stderr=file
        )
    started = time.monotonic()
    try:
        wait_until(lambda: is_well(f"{address}{health}"), f"an answer of {log.stem}: {log.read_text()}", 300.0)
        print(f"{log.stem} answers after {time.monotonic() - started:.0f} s", flush=True)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def is_well(address: str) -> bool:
    """Whether a server answers with success."""
    try:
        return httpx.get(address, trust_env=False).is_success
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    main()
