"""Workspaces like fresh clones, with a small corpus and a model that trains in seconds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient
from typer.testing import CliRunner, Result

from seq2seq_core.artifacts import Paths
from seq2seq_core.cli.main import app
from seq2seq_core.tracking.mlflow.store import connect
from tests.made_once import HALF_COMPILED, made_once

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CLONED = ("dvc.yaml", "params.yaml", "prefect.yaml", "pyproject.toml", ".dvcignore", ".gitignore", "seq2seq_core", "flows")

SMALL: dict[str, dict[str, Any]] = {
    "corpus": {"path": "data/raw/digits"},
    "validate": {"min_rows": {"limit": 100}, "max_characters": {"limit": 40, "severity": "error"}},
    "prepare": {"max_length_ratio": 9.0},
    "model": {"width": 16},
    "train": {"max_steps": 12, "batch_tokens": 512, "validate_every_steps": 6, "dev_sentences": 20, "warmup_steps": 2},
    "evaluate": {"beam_size": 2, "slice_columns": ["parity"]},
    "register": {"model_name": "digits", "gate": {"baselines": False, "minimum_rows": 1}},  # a dozen updates beat no baseline
    "runtime": {"num_threads": 1},
}


@dataclass(frozen=True)
class Workspace:
    """A clone in a temporary folder, with what a person would type in it."""

    root: Path
    environment: dict[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the workspace and returns what it printed and its exit code."""
        return subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)

    def must(self, *command: str) -> str:
        """Runs a command that has to succeed; returns standard output and error together."""
        result = self.run(*command)
        assert result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout + result.stderr

    def call(self, command: str, *arguments: str) -> Result:
        """Runs a command of ``s2s`` with this process's code and the workspace's environment; starting a process costs seconds."""
        foreign = dict.fromkeys(os.environ.keys() - self.environment.keys())
        words = [command, "--workspace", str(self.root), *arguments]
        return CliRunner().invoke(app, words, env={**foreign, **self.environment})

    def change(self, section: str, **values: object) -> None:
        """Edits one section of params.yaml."""
        place = self.root / "params.yaml"
        settings = yaml.safe_load(place.read_text(encoding="utf-8"))
        settings[section].update(values)
        place.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")

    @property
    def store(self) -> MlflowClient:
        """MLflow's records of the workspace."""
        with pytest.MonkeyPatch.context() as environment:
            environment.delenv("MLFLOW_TRACKING_URI", raising=False)
            return connect(Paths(self.root))

    @property
    def lock(self) -> bytes:
        """The bytes of dvc.lock."""
        return (self.root / "dvc.lock").read_bytes()


def executed_stages(output: str) -> list[str]:
    """The stages that DVC says it ran, in order, through either door."""
    return re.findall(r"Running stage '(\w+)'", output)


def _write_corpus(folder: Path) -> None:
    """Numbers and the same numbers with commas between the digits."""
    folder.mkdir(parents=True)
    for split, numbers in {"train": range(100, 400), "dev": range(400, 440), "test": range(440, 480)}.items():
        rows = "".join(f"{number}\t{','.join(str(number))}\t{'odd' if number % 2 else 'even'}\n" for number in numbers)
        (folder / f"{split}.tsv").write_text("source\ttarget\tparity\n" + rows, encoding="utf-8")


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Path:
    """A clone as it is after its first commit, to be copied."""
    return made_once(tmp_path_factory, "clone", lambda root: _make_clone(root, mlflow_template))


def _make_clone(root: Path, database: Path) -> None:
    for entry in CLONED:
        source = ROOT / entry
        if source.is_dir():
            # With the compiled modules, which the first command would make.
            shutil.copytree(source, root / entry, ignore=shutil.ignore_patterns(HALF_COMPILED))
        elif source.exists():
            shutil.copy(source, root / entry)
    _write_corpus(root / "data" / "raw" / "digits")
    (root / "data" / "raw" / ".gitignore").write_text("/digits\n", encoding="utf-8")
    workspace = Workspace(root, _environment(root))
    for section, values in SMALL.items():
        workspace.change(section, **values)
    shutil.copy(database, Paths(root).mlflow_database)
    workspace.must("git", "init", "-q", "-b", "main")
    workspace.must("dvc", "init", "-q")
    workspace.must("git", "add", "-A")
    workspace.must("git", "commit", "-q", "-m", "clone")


@pytest.fixture(scope="package")
def prefect_api(tmp_path_factory: pytest.TempPathFactory, prefect_template: Path) -> Iterator[str]:
    """The address of one Prefect server for the tests of this folder in this process; it ends behind them."""
    from tests.prefect_server import serve_prefect

    with serve_prefect(tmp_path_factory.mktemp("prefect"), prefect_template) as url:
        yield url


@pytest.fixture
def make_workspace(tmp_path: Path, clone: Path) -> Callable[[str], Workspace]:
    """A function that makes a clone of a given name, in a cache of its own."""
    return lambda name: copy_workspace(clone, tmp_path / name)


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory, clone: Path) -> tuple[Path, str]:
    """A clone after its first ``dvc repro``, to be copied, and what that printed."""

    def reproduce(room: Path) -> None:
        (room / "output.txt").write_text(copy_workspace(clone, room / "clone").must("dvc", "repro"), encoding="utf-8")

    room = made_once(tmp_path_factory, "reproduced", reproduce)
    return room / "clone", (room / "output.txt").read_text(encoding="utf-8")


@pytest.fixture
def reproduced_workspace(tmp_path: Path, reproduced: tuple[Path, str]) -> Workspace:
    """A clone after its first ``dvc repro``."""
    return copy_workspace(reproduced[0], tmp_path / "reproduced")


def copy_workspace(root: Path, new: Path) -> Workspace:
    shutil.copytree(root, new, symlinks=True)
    return Workspace(new, _environment(new))


def _environment(root: Path) -> dict[str, str]:
    """What a person's shell has after activating the virtual environment; no server of anybody else's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_", "S2S_", "PYTEST_"))}
    return {
        **kept,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(root),
        "DVC_NO_ANALYTICS": "1",
        "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
