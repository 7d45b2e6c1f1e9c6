from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

from flows.server.environment import prepare_environment
from seq2seq_core.artifacts import Paths
from tests.made_once import made_once

if TYPE_CHECKING:
    from flows.reports.summary import RetrainSummary

prepare_environment()
TOY_STAGE = Path(__file__).with_name("toy_stage.py")
FAN_OUT: dict[str, tuple[str, ...]] = {"prepare": (), "left": ("prepare",), "right": ("prepare",), "join": ("left", "right")}
CHAIN: dict[str, tuple[str, ...]] = {"prepare": (), "train": ("prepare",), "evaluate": ("train",)}
PARAMS: dict[str, Any] = {
    "corpus": {"path": "data/raw/toy", "files": {"train": ["train.tsv"]}},
    "register": {"model_name": "toy"},
    "train": {"seed": 1},
}
FLOW = {"default": {"retries": 1, "retry_delay_seconds": 0.0}, "stages": {}, "stop_grace_seconds": 1.0, "cancel_grace_seconds": 20}


@dataclass(frozen=True)
class ToyWorkspace:
    """A git and DVC repository with a graph of toy stages."""

    root: Path

    @property
    def paths(self) -> Paths:
        return Paths(self.root)

    def behave(self, stage: str, words: str) -> None:
        place = self.root / "behaviour" / stage
        place.parent.mkdir(exist_ok=True)
        place.write_text(words)

    def executions(self, stage: str) -> list[str]:
        """A line for each time that the stage was executed: its process and its graph run."""
        place = self.root / ".s2s" / f"{stage}.executions"
        return place.read_text().splitlines() if place.is_file() else []

    def set_flow(self, **flow: Any) -> None:
        """Changes the settings in ``runtime.flow``."""
        values = yaml.safe_load(self.paths.params.read_text())
        values["runtime"]["flow"].update(flow)
        self.paths.params.write_text(yaml.safe_dump(values))

    def set_params(self, **sections: Any) -> None:
        values = yaml.safe_load(self.paths.params.read_text())
        self.paths.params.write_text(yaml.safe_dump({**values, **sections}))

    def run(self, *command: str) -> str:
        return run_in(self.root, *command)


def run_in(root: Path, *command: str) -> str:
    variables = {**os.environ, "DVC_NO_ANALYTICS": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(command, cwd=root, env=variables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout.strip()


@pytest.fixture(scope="session")
def empty_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a tracked corpus and no stages, made once and copied."""
    return made_once(tmp_path_factory, "repository", make_repository)


def make_repository(root: Path) -> Path:
    """A repository with a tracked corpus and no stages; the folder is made where there is none."""
    root.mkdir(exist_ok=True)
    run_in(root, "git", "init", "-q", "-b", "main")
    run_in(root, "git", "config", "user.name", "Tester")
    run_in(root, "git", "config", "user.email", "tester@example.org")
    run_in(root, "dvc", "init", "-q")
    run_in(root, "dvc", "config", "core.check_update", "false")
    (root / "data" / "raw" / "toy").mkdir(parents=True)
    (root / "data" / "raw" / "toy" / "train.tsv").write_text("source\ttarget\na\tb\n")
    run_in(root, "dvc", "add", "-q", "data/raw/toy")
    (root / ".gitignore").write_text("/.s2s/\n/behaviour/\n/out/\n")
    return root


@pytest.fixture(scope="package")
def prefect_api(tmp_path_factory: pytest.TempPathFactory, prefect_template: Path) -> Iterator[str]:
    """The address of one Prefect server for the tests of this folder in this process; it ends behind them."""
    from tests.prefect_server import serve_prefect

    with serve_prefect(tmp_path_factory.mktemp("prefect"), prefect_template) as url:
        yield url


@pytest.fixture
def make_workspace(tmp_path: Path, empty_repository: Path) -> Callable[..., ToyWorkspace]:
    """Makes workspaces, each from a graph (each stage with those that it reads from) in a folder of its own."""

    def make(graph: dict[str, tuple[str, ...]] = CHAIN, name: str = "workspace") -> ToyWorkspace:
        return make_toy_workspace(tmp_path / name, empty_repository, graph)

    return make


def make_toy_workspace(root: Path, repository: Path, graph: dict[str, tuple[str, ...]]) -> ToyWorkspace:
    """A workspace with a graph of toy stages, each with those that it reads from; a copy of a repository."""
    shutil.copytree(repository, root)
    shutil.copy(TOY_STAGE, root / "toy_stage.py")
    stages = {stage: toy_stage(stage, upstream) for stage, upstream in graph.items()}
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    (root / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "runtime": {"flow": FLOW}}))
    run_in(root, "git", "add", "-A")
    run_in(root, "git", "commit", "-q", "-m", "start")
    (root / ".s2s").mkdir()
    return ToyWorkspace(root)


def toy_stage(stage: str, upstream: tuple[str, ...]) -> dict[str, Any]:
    """A stage of ``dvc.yaml``: reads the outputs of others, or the corpus; ``train`` also reads a parameter."""
    inputs = [f"out/{name}" for name in upstream]
    entry: dict[str, Any] = {"cmd": " ".join(["python toy_stage.py", stage, f"out/{stage}", *inputs]), "outs": [f"out/{stage}"]}
    entry["deps"] = inputs or ["${corpus.path}"]
    return {**entry, "params": ["train.seed"]} if stage == "train" else entry


def retrain_here(workspace: ToyWorkspace, force: tuple[str, ...] = (), assignments: tuple[str, ...] = ()) -> RetrainSummary:
    """What a run of the flow ``retrain`` in this process did, failures included."""
    from flows.launch import run_flow
    from flows.reports.summary import RetrainSummary
    from flows.retrain import STOPPED, retrain

    asked = {"force": list(force), "set": list(assignments)}
    return run_flow(retrain, RetrainSummary, STOPPED, workspace=str(workspace.root), **asked)


@pytest.fixture
def retrain(prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RetrainSummary]:
    """Runs the flow in this process, without MLflow."""
    from flows.reports import parent_run

    monkeypatch.setattr(parent_run, "find_spec", lambda name: None)

    return retrain_here


@pytest.fixture
def start_retrain(prefect_api: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts ``run_retrain`` in a process of its own, without MLflow; what is left of it is killed in the end."""
    script = (
        "from seq2seq_core.cli.process_setup import set_up_process; set_up_process()\n"  # as the command does
        "import sys; from pathlib import Path; from flows.reports import parent_run; parent_run.find_spec = lambda name: None\n"
        "from flows.launch import run_retrain; from seq2seq_core.errors import Seq2SeqError\n"
        "try:\n    print(run_retrain(Path(sys.argv[1]), assignments=sys.argv[2:]).describe())\n"
        "except Seq2SeqError as error:\n    print(error); sys.exit(error.exit_code)\n"
    )
    started: list[subprocess.Popen[bytes]] = []

    def start(workspace: ToyWorkspace, *assignments: str) -> subprocess.Popen[bytes]:
        log = (tmp_path / f"retrain{len(started)}.log").open("wb")
        variables = {**os.environ, "PREFECT_API_URL": prefect_api}
        command = [sys.executable, "-P", "-c", script, str(workspace.root), *assignments]
        started.append(subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True))
        log.close()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def processes_with(token: str) -> list[str]:
    """The command lines of living processes that hold a token, or that work in a folder of that name."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        words = [*(process.info["cmdline"] or ()), process.info["cwd"] or ""]
        if any(token in word for word in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(process.info["cmdline"] or ()))
    return found
