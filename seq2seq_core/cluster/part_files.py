"""Files of parts in the folder that the workers share: they appear whole, and their names tell their content."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

_READ_BYTES = 1 << 20


def write_part(folder: Path, write: Callable[[Path], object], key: str = "") -> str:
    """The name of a file that is written, ``{key}-{digest of its content}``; of two writers of one file, both succeed.

    Args:
        folder: receives it.
        write: writes the draft.
        key: digest of all that the content depends on.
    """
    descriptor, draft_name = tempfile.mkstemp(dir=folder, prefix=".")
    os.close(descriptor)
    draft = Path(draft_name)
    try:
        write(draft)
        name = f"{key}-{_digest(draft)}"
        draft.replace(folder / name)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return name


def find_part(folder: Path, key: str) -> str | None:
    """The name of the whole file of a key, which a killed task or run has left; None: there is none.

    Args:
        folder: holds it.
        key: of :func:`write_part`.
    """
    return next((path.name for path in folder.glob(f"{key}-*") if path.name == f"{key}-{_digest(path)}"), None)


def share(folder: Path, value: object) -> str:
    """The name of the file of a value for all workers.

    Args:
        folder: receives it.
        value: functions are stored by the names of their modules.
    """
    import cloudpickle

    content = cloudpickle.dumps(value)
    return write_part(folder, lambda draft: draft.write_bytes(content))


@lru_cache(maxsize=4)
def read_shared(folder: Path, name: str) -> Any:
    """A value of :func:`share`, read once in each process.

    Args:
        folder: holds it.
        name: of the file.
    """
    import cloudpickle

    return cloudpickle.loads((folder / name).read_bytes())


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_READ_BYTES):
            found.update(data)
    return found.hexdigest()
