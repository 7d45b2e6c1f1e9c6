"""The wheel in an environment of its own: ``s2s init`` in an empty folder, then the sample corpus and the graph."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    ".dvcignore", ".gitignore", "LICENSE", "README.md", "configs", "dvc.yaml", "flows", "params.yaml", "prefect.yaml",
    "pyproject.toml", "seq2seq_core", "setup.py",
)  # fmt: skip


def _build(room: Path) -> Path:
    """The wheel of this tree; built from a copy, because setuptools writes beside what it builds."""
    source = room / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(room)]
    subprocess.run([*command, str(source)], check=True, capture_output=True, text=True)
    shutil.rmtree(source)
    (wheel,) = room.glob("seq2seq_flows-*.whl")
    return wheel


def _install(wheel: Path, folder: Path) -> Path:
    """The ``bin`` of a new environment with the wheel, and the other packages of this one."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text("\n".join(site.getsitepackages()))  # without the .pth files there, so not this tree
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(folder / "bin" / "python"),
        "install",
        "--quiet",
        "--no-deps",
        str(wheel),
    ]
    subprocess.run([*command, "--ignore-installed"], check=True, capture_output=True, text=True)
    return folder / "bin"


@pytest.mark.long
def test_the_graph_runs_in_a_workspace_of_the_installed_package(tmp_path: Path) -> None:
    bin_folder = _install(_build(tmp_path), tmp_path / "environment")
    dropped = ("PYTHONPATH", "MLFLOW_TRACKING_URI", "PREFECT_API_URL", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment |= {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "PREFECT_HOME": str(tmp_path / "prefect"), **identity}

    def must(*command: str, folder: Path) -> str:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    where = must("python", "-c", "import seq2seq_core, flows; print(seq2seq_core.__file__, flows.__file__)", folder=tmp_path)
    assert where.count(str(tmp_path)) == 2
    must("s2s", "init", "dates", folder=tmp_path)
    root = tmp_path / "dates"
    must("git", "add", "-A", folder=root)
    must("git", "commit", "-q", "-m", "Workspace", folder=root)
    must("s2s", "sample-corpus", folder=root)
    must("s2s", "retrain", "--set", "train.max_steps=20", "--set", "train.warmup_steps=2", folder=root)
    receipt = (root / "reports" / "registration.json").read_text(encoding="utf-8")
    assert '"dates"' in receipt
    lock = yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    assert [dependency["path"] for dependency in lock["code"]["deps"]] == ["requirements.txt"]
    assert "3 May 2031" not in must("sh", "-c", "echo '3 May 2031' | s2s predict", folder=root)
    must("s2s", "check-settings", folder=root)
    assert must("s2s", "doctor", folder=root).count(str(ROOT)) == 0
