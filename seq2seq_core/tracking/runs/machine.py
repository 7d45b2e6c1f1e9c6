"""What a run was computed with: machine, Python, packages, threads. Imports no package for it, to be cheap for any stage."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import sys
from typing import Any

from seq2seq_core.config.runtime import RuntimeSection

MACHINE_TAG = "machine"
"""The tag of a stage's run that holds :func:`describe_machine` as JSON."""
PROJECT = "seq2seq-flows"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CPU_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
_ARITHMETIC = ("device", "devices", "precision", "tf32", "deterministic", "compile", "packing")
"""The settings of ``runtime`` that the last bits of a sum can depend on."""


def describe_machine(settings: RuntimeSection) -> dict[str, Any]:
    """The machine of this process, and how it computes.

    Args:
        settings: threads, device and precision.
    """
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count() or 1,
        "threads": settings.num_threads or _default_threads(),
        "gpu": _gpu_name(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": {name: getattr(settings, name) for name in _ARITHMETIC},
        "packages": package_versions(),
    }


def machine_tag(settings: RuntimeSection) -> dict[str, str]:
    """:func:`describe_machine` as the tag of a run.

    Args:
        settings: see there.
    """
    return {MACHINE_TAG: json.dumps(describe_machine(settings), ensure_ascii=False)}


def cpu_model() -> str:
    """The processor's name, which decides the instructions that libraries use."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - a file of Linux's
            found = _CPU_MODEL.search(file.read(1 << 16))
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def package_versions() -> dict[str, str]:
    """The installed versions of the packages that this project names, those for its development left out."""
    try:
        requirements = importlib.metadata.requires(PROJECT) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    names = {match[0] for line in requirements if 'extra == "dev"' not in line and (match := _NAME.match(line))}
    versions: dict[str, str] = {}
    for name in sorted(names):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _default_threads() -> int:
    """The threads of PyTorch where the settings give none."""
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else os.cpu_count() or 1


def _gpu_name() -> str:
    """The first GPU's name; empty without one, or in a process that computes nothing."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not torch.cuda.is_available():
        return ""
    return str(torch.cuda.get_device_name(0))
