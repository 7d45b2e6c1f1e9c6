"""What a stage costs: duration, processor time, largest memory; of its process and of those that it started."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

KIBIBYTE = 1024


@dataclass(frozen=True)
class Cost:
    """A cost.

    Attributes:
        seconds: duration.
        cpu_seconds: processor time.
        peak_bytes: largest memory of a single process (resident set).
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


class CostMeter:
    """Measures from its creation on."""

    def __init__(self) -> None:
        self._started, self._cpu = time.monotonic(), _cpu_seconds()

    def read(self) -> Cost:
        """The cost so far; the memory is that of the whole process, also before the meter was made."""
        return Cost(time.monotonic() - self._started, _cpu_seconds() - self._cpu, peak_memory())


def peak_memory() -> int:
    """The largest resident set of this process or of one that it started and that has ended, in bytes.

    Linux reports for a process also the memory of the one that started it; the own peak is in ``/proc``.
    """
    unit = KIBIBYTE if sys.platform != "darwin" else 1
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    return max(_own_peak() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, children)


def _own_peak() -> int:
    """The peak that the kernel keeps of this program; 0: this system has no such figure."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * KIBIBYTE for line in lines if line.startswith("VmHWM:")), 0)


def _cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
