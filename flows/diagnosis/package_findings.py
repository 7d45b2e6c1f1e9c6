"""Versions of Python and of the packages, against those that were tested together."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from flows.diagnosis.finding import Finding

DISTRIBUTION = "seq2seq-flows"
LOCK = "requirements.lock"
SHOWN = (
    "torch", "numpy", "dvc", "mlflow", "prefect", "great-expectations", "duckdb", "ctranslate2", "sqlalchemy", "pydantic",
    "pyarrow", "pandas", "fastapi", "sentencepiece", "sacrebleu", "safetensors", "optuna",
)  # fmt: skip
"""Packages whose versions a bug report needs."""
OLDEST = (3, 11)
INSTALL = "`make install`, or `pip install -r requirements.lock`"


def find_packages(root: Path) -> Iterator[Finding]:
    """Python, and each package that matters.

    Args:
        root: the workspace; its ``requirements.lock`` has the versions that were tested together.
    """
    is_old = sys.version_info < OLDEST
    wanted = f"expected {'.'.join(map(str, OLDEST))} or newer"
    yield Finding(
        "python", f"{platform.python_version()} ({sys.executable})", "problem" if is_old else "ok", wanted if is_old else ""
    )
    yield Finding("system", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield _command()
    locked, needed = read_locked(root / LOCK), _needed()
    if not locked:
        yield Finding("packages", f"there is no {LOCK} here to compare with", "note")
    for name in SHOWN:
        yield _compare(name, locked, is_needed=name in needed)


def _command() -> Finding:
    """Whether DVC, which calls ``s2s`` by its name, finds this one."""
    own, found = Path(sys.executable).parent / "s2s", shutil.which("s2s")
    if found is None:
        return Finding("s2s", "is not on PATH, so that `dvc repro` cannot call it", "problem", f"export PATH={own.parent}:$PATH")
    if own.exists() and not own.samefile(found):
        return Finding("s2s", f"{found} is called by `dvc repro`, not {own}", "problem", f"export PATH={own.parent}:$PATH")
    return Finding("s2s", found)


def read_locked(file: Path) -> Mapping[str, str]:
    """The versions in a lock, by name; empty where there is none.

    Args:
        file: a line ``NAME==VERSION`` for each package.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split()[0].partition("==") for line in lines if "==" in line and not line.startswith("#"))
    return {_normal(name): pinned for name, _, pinned in pairs}


def _needed() -> set[str]:
    """The packages that training on prepared data needs."""
    try:
        return {_normal(re.split(r"[\s<>=!~;\[]", one)[0]) for one in requires(DISTRIBUTION) or () if "extra ==" not in one}
    except PackageNotFoundError:
        return set()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _compare(name: str, locked: Mapping[str, str], *, is_needed: bool) -> Finding:
    pinned = locked.get(name, "")
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, "is not installed", "problem" if is_needed else "note", INSTALL)
    if pinned and found.partition("+")[0] != pinned.partition("+")[0]:
        return Finding(name, f"{found}; {LOCK} has {pinned}", "note", INSTALL)
    return Finding(name, found)
