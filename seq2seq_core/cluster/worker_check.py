"""What a worker must have in common with the driver: code, versions of libraries, and the workspace."""

from __future__ import annotations

import asyncio
import platform
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from seq2seq_core.code_digests.package_digest import digest_package, find_version
from seq2seq_core.errors import UserError

LIBRARIES = ("duckdb", "pyarrow", "numpy", "orjson", "sentencepiece", "rensa", "ftfy", "py3langid", "distributed", "cloudpickle")
"""Whose versions may change a part, or whether it can be read."""
PROBE_SECONDS = 15.0
"""Longest wait for the probe: a network's file system shows new files late."""
_OTHER = "has other code or libraries: {}; expected the same: start it again from the driver's environment"


@cache
def find_identity() -> Mapping[str, str]:
    """By name: the version of what the results of this process depend on; empty: it is not installed."""
    own = {"seq2seq_core": digest_package()[:12], "Python": platform.python_version(), "Unicode": unicodedata.unidata_version}
    return own | {library: find_version(library) for library in LIBRARIES}


def compare_identities(own: Mapping[str, str], driver: Mapping[str, str]) -> str:
    """How a worker differs from the driver; empty: it does not.

    Args:
        own: of the worker.
        driver: of the driver.
    """
    names = [name for name in {**driver, **own} if own.get(name) != driver.get(name)]
    return ", ".join(f"{name} {own.get(name) or 'missing'} (here {driver.get(name) or 'missing'})" for name in names)


async def find_fault(identity: Mapping[str, str], probe: str, content: str, seconds: float = PROBE_SECONDS) -> str:
    """What makes a worker unfit for this run; empty: nothing.

    Args:
        identity: of the driver.
        probe: the path of a file that the driver has just written; a file beside it is written here.
        content: of the probe.
        seconds: longest wait for it.
    """
    if difference := compare_identities(find_identity(), identity):
        return _OTHER.format(difference)
    path, left = Path(probe), seconds
    while _read(path) != content:
        if left <= 0:
            return f"does not see {path.parent}; expected the workspace at the same path on all machines, such as by NFS"
        await asyncio.sleep(0.25)
        left -= 0.25
    try:
        with path.with_name(f"{path.name}-answer").open("w", encoding="utf-8") as file:
            file.write(content)
    except OSError as error:
        return f"cannot write to {path.parent}: {error.strerror}; expected a user who may write to the workspace"
    return ""


def run_checked(identity: Mapping[str, str], function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """The result of a function on a worker, which may have come after the others were checked.

    Args:
        identity: of the driver.
        function: at the top level of its module.
        arguments: of it.

    Raises:
        UserError: this worker has other code or libraries.
    """
    if difference := compare_identities(find_identity(), identity):
        raise UserError(f"runtime.dask_address: a Dask worker on {platform.node()} {_OTHER.format(difference)}")
    return function(*arguments)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
