"""The meaning of the code has one digest on every Python: a model that is trained again on another one runs no stage for it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CLASSIFIER = "Programming Language :: Python :: "
CLASSIFIERS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
PYTHONS = [name.removeprefix(CLASSIFIER) for name in CLASSIFIERS if name.startswith(CLASSIFIER)]
SCRIPT = """
import hashlib, json, sys
from pathlib import Path
from seq2seq_core.code_digests.syntax import read_meaning
for path in sys.stdin.read().split():
    module = path.removesuffix(".py").replace("/", ".")
    meaning = read_meaning(Path(path).read_text(encoding="utf-8"), module, False, ".config." in module)
    found = [meaning.statements, [[one.module, one.name, one.bound] for one in meaning.imports], meaning.names]
    print(path, hashlib.sha256(json.dumps(found).encode()).hexdigest())
"""
"""Needs no package but the standard library's."""


def _digests(python: str, modules: list[str]) -> dict[str, str]:
    """The digests of modules by another interpreter."""
    command = [python, "-S", "-c", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, input="\n".join(modules), capture_output=True, text=True, check=True)
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.mark.parametrize("version", [one for one in PYTHONS if one != f"{sys.version_info.major}.{sys.version_info.minor}"])
def test_every_python_gives_a_module_the_same_digest(version: str) -> None:
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"there is no python{version} here")
    modules = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "seq2seq_core").rglob("*.py"))]
    # A quarter of the modules, another one in each state of the code: all of them take two seconds on each Python.
    offset = int(hashlib.sha256("".join(modules).encode()).hexdigest(), 16) % 4
    chosen = modules[offset::4]
    assert len(chosen) > 50
    assert _digests(python, chosen) == _digests(sys.executable, chosen)


def test_the_lock_has_what_its_packages_need_on_every_python() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    num_locked = len(lines)
    # PyTorch's build for GPUs needs packages that its build for processors does not.
    gpu = (ROOT / "requirements-cuda.hashes").read_text(encoding="utf-8").splitlines()
    lines += [line.partition(" ")[0] for line in gpu if line[:1].isalnum()]
    locked = {canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in lines)}
    pythons = [
        {"python_version": version, "python_full_version": f"{version}.{patch}", "extra": ""}
        for version in PYTHONS
        for patch in (0, 9)
    ]
    installed = {canonicalize_name(one.name): one for one in importlib.metadata.distributions()}
    looked_at = [one for name, one in installed.items() if locked.get(name) == one.version]
    if len(looked_at) < 0.9 * num_locked:
        pytest.skip("the packages here are not those of the lock")
    faults = []
    for distribution in looked_at:
        for requirement in map(Requirement, distribution.requires or []):
            pin, marker = locked.get(canonicalize_name(requirement.name)), requirement.marker
            if pin is not None and requirement.specifier.contains(pin, prereleases=True):
                continue
            if marker is None or any(marker.evaluate(dict(python)) for python in pythons):
                faults.append(f"{distribution.name} needs {requirement}, the lock has {pin}")
    assert faults == []


def test_the_locks_with_hashes_have_the_versions_of_the_lock() -> None:
    def versions(name: str) -> set[str]:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        pinned = (line.partition(" ")[0] for line in lines if line[:1].isalnum())
        return {re.sub(r"[-_.]+", "-", part[0]).lower() + "==" + part[2] for part in (pin.partition("==") for pin in pinned)}

    (torch,) = (pin for pin in versions("requirements.lock") if pin.startswith("torch=="))
    assert versions("requirements.hashes") == versions("requirements.lock") - {torch}, "run `make lock-hashes`"
    assert torch in versions("requirements-cuda.hashes")
