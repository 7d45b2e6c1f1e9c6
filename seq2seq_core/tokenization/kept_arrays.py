"""Arrays that are kept between runs, by digests of what they were made of: a folder that may be deleted at any time.

An entry is a file that appears whole. One that is damaged counts as absent, and so does one that another process removes.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_SEAL_BYTES = hashlib.sha256().digest_size


class KeptArrays:
    """The entries of a folder.

    Args:
        folder: made when the first entry is added.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._used, self._is_writable = folder, set[str](), True

    def has(self, key: str) -> bool:
        """Whether there is an entry, whole or not.

        Args:
            key: hexadecimal digits.
        """
        return (self._folder / key).exists()

    def find(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays of an entry, by name; None: there are none.

        Args:
            key: hexadecimal digits.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            content = (self._folder / key).read_bytes()
            if hashlib.sha256(memoryview(content)[_SEAL_BYTES:]).digest() != content[:_SEAL_BYTES]:
                return None
            arrays: dict[str, NDArray[Any]] = load(content[_SEAL_BYTES:])
        except (OSError, SafetensorError):
            return None
        self._used.add(key)
        return arrays

    def add(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keeps arrays, unless the disk refuses them.

        Args:
            key: hexadecimal digits.
            arrays: by name.
        """
        from safetensors.numpy import save

        if not self._is_writable:
            return
        content = save(dict(arrays))
        try:
            self._write(key, hashlib.sha256(content).digest() + content)
        except OSError as error:
            logger.warning("%s: nothing more is kept for the next run: %s", self._folder, error)
            self._is_writable = False

    def _write(self, key: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=self._folder, prefix=".")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(draft).replace(self._folder / key)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        self._used.add(key)

    def remove_unused(self) -> None:
        """Removes the entries that were neither found nor added, and what killed processes left."""
        try:
            for path in self._folder.iterdir():
                if path.name not in self._used:
                    path.unlink(missing_ok=True)
        except OSError as error:
            logger.debug("%s: %s", self._folder, error)
