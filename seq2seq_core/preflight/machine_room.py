"""The memory and the disk that a run may use."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from seq2seq_core.errors import UserError

SPARE_SHARE = 0.05
"""Of the free memory and disk, what stays free for others."""
UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Room:
    """What there is.

    Attributes:
        memory_bytes: for a process.
        disk_bytes: of the workspace's disk.
    """

    memory_bytes: int
    disk_bytes: int


def find_room(root: Path, memory: str = "", disk: str = "") -> Room:
    """What is free now, or what is asked about.

    Args:
        root: the workspace.
        memory: such as ``8 GB``; empty: what is free here, also under a limit of a container.
        disk: the same of the disk.

    Raises:
        UserError: a size is something else.
    """
    free = 1 - SPARE_SHARE
    return Room(
        parse_size(memory, "--memory") if memory else round(_free_memory() * free),
        parse_size(disk, "--disk") if disk else round(shutil.disk_usage(root).free * free),
    )


def parse_size(text: str, name: str) -> int:
    """A size in bytes.

    Args:
        text: such as ``8 GB``.
        name: of the option, for errors.

    Raises:
        UserError: it is something else.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(MB|GB|TB)", text.strip())
    if found is None:
        raise UserError(f"{name}: must be a number with MB, GB or TB, such as '8 GB', got {text!r}")
    return round(float(found[1]) * UNITS[found[2]])


def format_size(size: float) -> str:
    """A size for people: ``1.2 GB``, ``340 MB``.

    Args:
        size: in bytes.
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _free_memory() -> int:
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # no limit of a container, or another system
        limit = int((CGROUP / "memory.max").read_text(encoding="ascii"))
        free = min(free, limit - int((CGROUP / "memory.current").read_text(encoding="ascii")))
    return free
